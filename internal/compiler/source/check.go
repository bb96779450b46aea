package source

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

type checkState uint8

const (
	unchecked checkState = iota
	checking
	checked
)

// typecheck runs go/types over the package and what it imports. Complaints
// about code that no program reaches are dropped later, see [loader.prune].
func (l *loader) typecheck(pkg *Package) error {
	l.addLibraryFiles()
	l.info = &types.Info{
		Types:        make(map[ast.Expr]types.TypeAndValue),
		Instances:    make(map[*ast.Ident]types.Instance),
		Defs:         make(map[*ast.Ident]types.Object),
		Uses:         make(map[*ast.Ident]types.Object),
		Implicits:    make(map[ast.Node]types.Object),
		Selections:   make(map[*ast.SelectorExpr]*types.Selection),
		Scopes:       make(map[ast.Node]*types.Scope),
		FileVersions: make(map[*ast.File]string),
	}
	l.sizes = types.SizesFor("gc", "amd64")
	l.checkUnit(l.main)
	l.typeShiftCounts()
	l.info.InitOrder = nil // initial values are computed here, not by code
	pkg.Types, pkg.Info, pkg.Sizes = l.main.types, l.info, l.sizes
	return nil
}

// typeShiftCounts gives a type to what go/types leaves untyped: a shifted constant
// that is a shift count itself, as in x >> (1 << n). It is uint, as with Go's
// compiler.
func (l *loader) typeShiftCounts() {
	for e, tv := range l.info.Types {
		b, ok := tv.Type.(*types.Basic)
		if ok && tv.Value == nil && b.Info()&types.IsUntyped != 0 && b.Info()&types.IsNumeric != 0 {
			tv.Type = types.Typ[types.Uint]
			l.info.Types[e] = tv
		}
	}
}

// addLibraryFiles makes the positions of the shared files known to l.fset.
func (l *loader) addLibraryFiles() {
	for _, u := range l.units {
		if u.library {
			for _, f := range u.files {
				l.fset.AddExistingFiles(f.tok)
			}
		}
	}
}

func (l *loader) checkUnit(u *unit) {
	u.state = checking
	l.inCheck = append(l.inCheck, u)
	defer func() { l.inCheck = l.inCheck[:len(l.inCheck)-1] }()
	conf := types.Config{
		GoVersion: u.goVersion,
		Importer:  importer{l},
		Sizes:     l.sizes,
		Error: func(err error) {
			if e := (typeError{u, err.(types.Error)}); !e.isMissingBody() {
				l.typeErrs = append(l.typeErrs, e)
			}
		},
	}
	files := make([]*ast.File, len(u.files))
	for i, f := range u.files {
		files[i] = l.named(u, f)
	}
	u.syntax = files
	u.types, _ = conf.Check(u.path, l.fset, files, l.info) // errors went to conf.Error
	u.state = checked
	l.checked = append(l.checked, u)
}

// typeError is a complaint of go/types and the package it is about.
type typeError struct {
	unit *unit
	err  types.Error
}

// isMissingBody reports whether a complaint is about a generic library function
// that a directive has taken the body of.
func (e typeError) isMissingBody() bool {
	return e.unit.library && e.err.Msg == "generic function is missing function body"
}

// importer hands out checked packages, and empty ones for what kernel code can't
// import: go/types doesn't complain about what is missing from those.
type importer struct{ l *loader }

var errFake = errors.New("not available in kernel code")

func (i importer) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	u := i.l.units[path]
	if u == nil {
		name := "_"
		if names := (&importSpec{path: path}).likelyNames(); len(names) > 0 {
			name = names[len(names)-1]
		}
		return types.NewPackage(path, name), errFake
	}
	switch u.state {
	case unchecked:
		i.l.checkUnit(u)
	case checking:
		return nil, fmt.Errorf("%w: %s", errCycle, i.l.cycle(u))
	}
	return u.types, nil
}

var errCycle = errors.New("import cycle")

// cycle prints the imports that lead from u back to u.
func (l *loader) cycle(u *unit) string {
	var path []string
	for _, v := range l.inCheck[slices.Index(l.inCheck, u):] {
		path = append(path, v.path)
	}
	return strings.Join(append(path, u.path), " -> ")
}

// named returns the part of a file that the closure over names kept. The
// package itself is kept whole.
func (l *loader) named(u *unit, f *file) *ast.File {
	if u == l.main {
		return f.ast
	}
	pruned := *f.ast
	pruned.Decls = nil
	var kept []*decl
	groups := make(map[*ast.GenDecl]*ast.GenDecl)
	for _, d := range f.decls {
		if !l.names.kept[d] {
			continue
		}
		kept = append(kept, d)
		if node := d.pruned(groups); node != nil {
			pruned.Decls = append(pruned.Decls, node)
		}
	}
	pruned.Decls = append(usedImports(f, kept), pruned.Decls...)
	return &pruned
}

// pruned returns what to show the type checker; nil if groups has it already.
func (d *decl) pruned(groups map[*ast.GenDecl]*ast.GenDecl) ast.Decl {
	switch {
	case d.fn != nil && hasLowering(d.fn.Doc):
		return withoutBody(d.fn)
	case d.fn != nil:
		return d.fn
	case d.spec == nil:
		return d.gen
	}
	if g := groups[d.gen]; g != nil {
		g.Specs = append(g.Specs, d.spec)
		return nil
	}
	g := *d.gen
	g.Specs = []ast.Spec{d.spec}
	groups[d.gen] = &g
	return &g
}

func withoutBody(fn *ast.FuncDecl) *ast.FuncDecl {
	bare := *fn
	bare.Body = nil
	return &bare
}

// usedImports keeps the imports that the kept declarations may use.
func usedImports(f *file, kept []*decl) []ast.Decl {
	gen := &ast.GenDecl{Tok: token.IMPORT, Lparen: f.ast.Name.End()}
	for _, imp := range f.imports {
		if slices.ContainsFunc(kept, imp.mayBeUsedBy) {
			gen.Specs = append(gen.Specs, imp.spec)
		}
	}
	if len(gen.Specs) == 0 {
		return nil
	}
	gen.TokPos = gen.Specs[0].Pos()
	return []ast.Decl{gen}
}

// isImportError reports whether a complaint is about an import that stays empty
// on purpose, or that pruning left unused.
func (l *loader) isImportError(e typeError) bool {
	for _, f := range e.unit.files {
		for _, imp := range f.imports {
			if imp.spec.Pos() <= e.err.Pos && e.err.Pos <= imp.spec.End() {
				return l.units[imp.path] == nil || e.unit != l.main && e.err.Soft
			}
		}
	}
	return false
}

// report turns a complaint of go/types into a diagnostic.
func (l *loader) report(e typeError) {
	msg := e.err.Msg
	if i := strings.Index(msg, errCycle.Error()); i >= 0 {
		msg = strings.TrimSuffix(msg[i:], ")") // go/types wraps it
	}
	l.errorf(e.err.Pos, "", "", "%s", msg)
}
