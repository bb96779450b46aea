package source

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/scanner"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/waggle-bpf/waggle/internal/compiler/diag"
)

// file is one parsed source file. It never changes once made: files of the
// library are shared by all loads of a process.
type file struct {
	name    string // as positions print it
	src     []byte
	ast     *ast.File
	tok     *token.File
	decls   []*decl
	imports []*importSpec
}

// importSpec is one import of a file.
type importSpec struct {
	spec *ast.ImportSpec
	path string
	name string // explicit name, or empty
	// names are what the file may call the package; none if that shows only
	// when the package is read.
	names []string
}

// parseMain reads the files of the package itself.
func (l *loader) parseMain(pkg *Package) error {
	sources, err := l.mainSources()
	if err != nil {
		return err
	}
	if l.mod, err = findModule(l.mainDir()); err != nil {
		return err
	}
	files := l.parseSources(sources)
	if len(l.diags) > 0 {
		return l.diags.Err()
	}
	if len(files) == 0 {
		return diag.List{{
			Pos: token.Position{Filename: l.cfg.Dir}, Message: "no Go files for this machine",
			Hint: "see their build constraints",
		}}
	}
	l.checkClauses(files)
	l.main = newUnit(l.mainPath(files), files)
	l.main.goVersion = l.mod.goVersionOr("")
	pkg.Path = l.main.path
	return nil
}

// mainDir is the directory that imports are resolved from; "" if there is none.
func (l *loader) mainDir() string {
	if strings.HasSuffix(l.cfg.Dir, ".go") {
		return filepath.Dir(l.cfg.Dir)
	}
	return l.cfg.Dir
}

// mainPath is the package's import path, or its directory's name outside a
// module, or its own name.
func (l *loader) mainPath(files []*file) string {
	if path := l.mod.pathOf(l.mainDir()); path != "" {
		return path
	}
	if abs, err := filepath.Abs(l.mainDir()); err == nil && l.cfg.Dir != "" && !strings.HasSuffix(l.cfg.Dir, ".go") {
		return filepath.Base(abs)
	}
	return files[0].ast.Name.Name
}

// source is a file before parsing.
type source struct {
	name string
	src  []byte
}

// mainSources lists the files of the package itself that the build constraints
// admit, in the order of their names. As with the go command, what is named itself
// needs no admission.
func (l *loader) mainSources() ([]source, error) {
	var list []source
	seen := make(map[string]bool)
	add := func(prefix, name string, src []byte) error {
		named := strings.HasSuffix(l.cfg.Dir, ".go") && name == filepath.Base(l.cfg.Dir)
		if seen[name] || !named && !isSourceName(name) {
			return nil
		}
		seen[name] = true
		ok, err := l.matches(name, src)
		if ok || named {
			list = append(list, source{prefix + name, src})
		}
		return err
	}
	prefix := dirPrefix(l.cfg.Dir)
	for name, src := range l.cfg.Files {
		if err := add(prefix, name, src); err != nil {
			return nil, err
		}
	}
	if l.cfg.Dir != "" {
		onDisk, err := readDir(l.cfg.Dir)
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", l.cfg.Dir, err)
		}
		for _, s := range onDisk {
			if err := add(prefix, filepath.Base(s.name), s.src); err != nil {
				return nil, err
			}
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	return list, nil
}

// dirPrefix is what positions print before a file's base name.
func dirPrefix(dir string) string {
	switch {
	case strings.HasSuffix(dir, ".go"):
		return strings.TrimSuffix(dir, filepath.Base(dir))
	case dir == "" || dir == "." || dir == "./":
		return ""
	case strings.HasSuffix(dir, "/"):
		return dir
	}
	return dir + "/"
}

// readDir reads the Go files of a directory, or the one file that dir names.
func readDir(dir string) ([]source, error) {
	names := []string{dir}
	if !strings.HasSuffix(dir, ".go") {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		names = names[:0]
		for _, e := range entries {
			if isSourceName(e.Name()) && !e.IsDir() {
				names = append(names, filepath.Join(dir, e.Name()))
			}
		}
	}
	list := make([]source, 0, len(names))
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		list = append(list, source{name, src})
	}
	return list, nil
}

// isSourceName reports whether a file of this name is part of a package.
func isSourceName(name string) bool {
	return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") &&
		!strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_")
}

// matches evaluates build constraints: for Linux, with the tag waggle set.
func (l *loader) matches(name string, src []byte) (bool, error) {
	ctxt := build.Context{
		GOOS:        "linux",
		GOARCH:      l.cfg.GOARCH,
		Compiler:    "gc",
		BuildTags:   []string{"waggle"},
		ReleaseTags: build.Default.ReleaseTags,
		OpenFile:    func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(src)), nil },
	}
	ok, err := ctxt.MatchFile("", name)
	if err != nil {
		// The parser says it better, with a position.
		return true, nil
	}
	return ok, nil
}

// parseSources parses files into l.fset and records syntax errors.
func (l *loader) parseSources(sources []source) []*file {
	var files []*file
	for _, s := range sources {
		f, err := parseFile(l.fset, s)
		if err != nil {
			l.addSyntaxErrors(err)
			continue
		}
		files = append(files, f)
	}
	return files
}

func parseFile(fset *token.FileSet, s source) (*file, error) {
	tree, err := parser.ParseFile(fset, s.name, s.src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &file{name: s.name, src: s.src, ast: tree, tok: fset.File(tree.FileStart)}
	for _, spec := range tree.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic("BUG: the parser let a malformed import path pass")
		}
		imp := &importSpec{spec: spec, path: path}
		if spec.Name != nil {
			imp.name = spec.Name.Name
		}
		f.imports = append(f.imports, imp)
	}
	f.decls = indexDecls(f)
	for _, imp := range f.imports {
		names := imp.likelyNames()
		if slices.ContainsFunc(f.decls, func(d *decl) bool { return d.qualifies(names) }) {
			imp.names = names
		}
	}
	return f, nil
}

func (l *loader) addSyntaxErrors(err error) {
	var list scanner.ErrorList
	if !errors.As(err, &list) {
		panic("BUG: the parser failed without positions: " + err.Error())
	}
	for _, e := range list {
		l.diags = append(l.diags, &diag.Diagnostic{Pos: e.Pos, Message: e.Msg})
	}
}

// checkClauses wants one package name in all files.
func (l *loader) checkClauses(files []*file) {
	first := files[0]
	for _, f := range files[1:] {
		if f.ast.Name.Name != first.ast.Name.Name {
			l.errorf(f.ast.Name.Pos(), "", "keep one package in a directory",
				"package %s, but %s has package %s", f.ast.Name.Name, first.name, first.ast.Name.Name)
		}
	}
}

// linesOf returns a function that gives the text of a source line; "" if there
// is none.
func (l *loader) linesOf() func(name string, n int) string {
	files := sync.OnceValue(func() map[string]*file {
		byName := make(map[string]*file)
		for _, u := range l.checked {
			for _, f := range u.files {
				byName[f.name] = f
			}
		}
		return byName
	})
	return func(name string, n int) string {
		f := files()[name]
		if f == nil || n < 1 || n > f.tok.LineCount() {
			return ""
		}
		text, _, _ := bytes.Cut(f.src[f.tok.Offset(f.tok.LineStart(n)):], []byte("\n"))
		return string(bytes.TrimSuffix(text, []byte("\r")))
	}
}
