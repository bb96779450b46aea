package source

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/diag"
)

// Config says what to load.
type Config struct {
	// Dir is the directory of the kernel package, or one Go file that is a
	// package by itself. Positions start with it just as it is written here.
	Dir string
	// Files holds further files by name, or other contents for files of Dir.
	// With an empty Dir they are the whole package.
	Files map[string][]byte
	// Roots names functions to compile besides the programs.
	Roots []string
	// GOARCH decides build constraints; empty means amd64. The code itself is
	// for BPF whatever the machine.
	GOARCH string
	// Check makes go/ssa verify its own output; for tests.
	Check bool
}

// Load reads, checks and prunes the package. What its author can mend comes
// back as a [diag.List].
func Load(cfg Config) (*Package, error) {
	return load(cfg, defaultLibrary)
}

// loader is the state of one Load.
type loader struct {
	cfg  Config
	lib  *library
	fset *token.FileSet
	mod  *module // nil outside a module

	main  *unit
	units map[string]*unit // by import path; main is not among them
	// fakes holds the imports that stay empty, and why.
	fakes map[string]error
	names nameClosure
	// wanted are packages of other modules to look for; missing are those that
	// turned out to be reached without being wanted.
	wanted  map[string]bool
	missing []string

	info     *types.Info
	sizes    types.Sizes
	typeErrs []typeError
	checked  []*unit       // dependencies first, main last
	inCheck  []*unit       // being checked, each imported by the one before
	roots    []*types.Func // asked for by name
	reached  *reach
	prog     *ssa.Program
	mapVars  map[*types.Var]*Map
	// onceBuilt fills in what only go/ssa knows.
	onceBuilt []func()
	diags     diag.List
}

func load(cfg Config, lib *library) (*Package, error) {
	if cfg.GOARCH == "" {
		cfg.GOARCH = "amd64"
	}
	for wanted := make(map[string]bool); ; {
		l := newLoader(cfg, lib, wanted)
		pkg, err := l.run()
		if len(l.missing) == 0 {
			return pkg, err
		}
		for _, path := range l.missing {
			wanted[path] = true
		}
	}
}

func newLoader(cfg Config, lib *library, wanted map[string]bool) *loader {
	return &loader{
		cfg:    cfg,
		lib:    lib,
		fset:   token.NewFileSet(),
		units:  make(map[string]*unit),
		fakes:  make(map[string]error),
		wanted: wanted,

		mapVars: make(map[*types.Var]*Map),
	}
}

func (l *loader) run() (*Package, error) {
	pkg := &Package{Fset: l.fset, Dir: l.mainDir(), Lines: l.linesOf()}
	steps := []func(*Package) error{
		l.parseMain,  // files of the package itself
		l.closeNames, // which declarations of which imports may matter, by name
		l.typecheck,
		l.prune, // which functions and variables do matter, by object
		l.build, // go/ssa
	}
	for _, step := range steps {
		if err := step(pkg); err != nil {
			return nil, err
		}
		if err := l.diags.Err(); err != nil || len(l.missing) > 0 {
			return nil, err
		}
	}
	return pkg, nil
}

// errorf records a complaint at pos.
func (l *loader) errorf(pos token.Pos, code, hint, format string, args ...any) {
	l.diags.Add(l.fset.Position(pos), code, hint, format, args...)
}

// unit is one package: its syntax and, later, its types.
type unit struct {
	path, name string
	goVersion  string
	library    bool // from the embedded sources
	files      []*file
	byName     map[string][]*decl
	syntax     []*ast.File // as type-checked, then pruned to what programs reach
	types      *types.Package
	state      checkState
}

func newUnit(path string, files []*file) *unit {
	u := &unit{path: path, files: files, byName: make(map[string][]*decl)}
	if len(files) > 0 {
		u.name = files[0].ast.Name.Name
	}
	for _, f := range files {
		for _, d := range f.decls {
			for _, name := range d.keys() {
				u.byName[name] = append(u.byName[name], d)
			}
		}
	}
	return u
}
