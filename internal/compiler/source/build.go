package source

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/diag"
)

// findRoots returns the functions that everything else hangs from.
func (l *loader) findRoots(pkg *Package) []*types.Func {
	var roots []*types.Func
	for _, f := range l.main.syntax {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && hasDirective(fn.Doc) {
				if obj, ok := l.info.Defs[fn.Name].(*types.Func); ok {
					roots = append(roots, obj)
				}
			}
		}
	}
	for _, name := range l.cfg.Roots {
		fn, ok := l.main.types.Scope().Lookup(name).(*types.Func)
		if !ok {
			l.diags = append(l.diags, l.noSuchFunction(name))
			continue
		}
		l.roots = append(l.roots, fn)
		roots = append(roots, fn)
	}
	return roots
}

// build makes go/ssa of what is left.
func (l *loader) build(pkg *Package) error {
	mode := ssa.InstantiateGenerics | ssa.BareInits
	if l.cfg.Check {
		mode |= ssa.SanityCheckFunctions
	}
	prog := ssa.NewProgram(l.fset, mode)
	for _, u := range l.checked {
		p := prog.CreatePackage(u.types, u.syntax, l.info, true)
		if u == l.main {
			pkg.SSA = p
		}
	}
	prog.Build()
	for _, fn := range l.roots {
		pkg.Roots = append(pkg.Roots, prog.FuncValue(fn))
	}
	pkg.Files = l.main.syntax
	return nil
}

func (l *loader) noSuchFunction(name string) *diag.Diagnostic {
	return &diag.Diagnostic{
		Pos:     l.fset.Position(l.main.files[0].ast.Name.Pos()),
		Message: "package " + l.main.name + " has no function " + name,
	}
}
