package source

import (
	"fmt"
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/ssa"
)

// findRoots returns the functions that everything else hangs from: the programs
// and those asked for by name.
func (l *loader) findRoots(pkg *Package) []*types.Func {
	var roots []*types.Func
	for _, f := range l.main.syntax {
		for _, d := range f.Decls {
			decl, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			fn, ok := l.info.Defs[decl.Name].(*types.Func)
			if !ok {
				continue
			}
			if isProgram(decl.Doc) {
				roots = append(roots, fn)
				l.addProgram(pkg, decl, fn)
				continue
			}
			for _, d := range directives(decl.Doc) {
				if hint, ok := programOnly[d.word]; ok {
					l.errorf(d.pos, codeMisplaced, hint, "//bpf:%s on %s, which is no program", d.word, fn.Name())
				}
			}
		}
	}
	for _, name := range l.cfg.Roots {
		fn, ok := l.main.types.Scope().Lookup(name).(*types.Func)
		if !ok {
			l.refuse(l.main.files[0].ast.Name.Pos(), codeNoFunction, "package %s has no function %s", l.main.name, name)
			continue
		}
		l.roots = append(l.roots, fn)
		roots = append(roots, fn)
	}
	return roots
}

// programOnly has the directives that only make sense on programs, and what to do
// about them elsewhere.
var programOnly = map[string]string{
	"fault": "put it on the program that calls it",
	"slot":  "make it a program",
}

func (l *loader) addProgram(pkg *Package, decl *ast.FuncDecl, fn *types.Func) {
	p := l.readProgram(decl, fn)
	if p == nil {
		return
	}
	pkg.Programs = append(pkg.Programs, p)
	l.onceBuilt = append(l.onceBuilt, func() { p.Func = l.prog.FuncValue(fn) })
}

// readAttributes gathers the directives of everything reached that aren't about
// programs and variables.
func (l *loader) readAttributes(pkg *Package) error {
	pkg.Lowerings = make(map[*types.Func]*Lowering)
	pkg.NoInline = make(map[*types.Func]bool)
	pkg.PacketTypes = make(map[*types.TypeName]bool)
	pkg.BTFNames = make(map[*types.TypeName]string)
	for obj, s := range l.reached.where {
		switch obj := obj.(type) {
		case *types.Func:
			if !l.reached.done[obj] {
				continue
			}
			if err := l.readFuncAttributes(pkg, s, obj); err != nil {
				return fmt.Errorf("%s: %w", l.fset.Position(s.node.Pos()), err)
			}
		case *types.TypeName:
			l.readTypeAttributes(pkg, s, obj)
		}
	}
	return nil
}

// readTypeAttributes looks at every type, because code can use one that it
// doesn't name.
func (l *loader) readTypeAttributes(pkg *Package, s site, name *types.TypeName) {
	list := directives(s.gen.Doc, s.node.(*ast.TypeSpec).Doc)
	if _, ok := find(list, "packet"); ok && s.unit.library {
		pkg.PacketTypes[name] = true
	}
	if d, ok := find(list, "btf"); ok {
		pkg.BTFNames[name] = d.args
	}
}

func (l *loader) readFuncAttributes(pkg *Package, s site, fn *types.Func) error {
	for _, d := range directives(s.node.(*ast.FuncDecl).Doc) {
		switch d.word {
		case "noinline":
			pkg.NoInline[fn] = true
		case "helper", "intrinsic":
			if !s.unit.library {
				l.refuse(d.pos, codeLibraryDirective, "directive //bpf:%s outside waggle's own library", d.word)
				continue
			}
			low, err := parseLowering(d, fn)
			if err != nil {
				return err
			}
			pkg.Lowerings[fn] = low
		}
	}
	return nil
}

// build makes go/ssa of what is left.
func (l *loader) build(pkg *Package) error {
	mode := ssa.InstantiateGenerics | ssa.BareInits | ssa.BuildSerially // a panic must come out here
	if l.cfg.Check {
		mode |= ssa.SanityCheckFunctions
	}
	l.prog = ssa.NewProgram(l.fset, mode)
	o := &orderer{info: l.info}
	o.effects = &effects{o: o, where: l.reached.where, lower: pkg.Lowerings, writes: make(map[*types.Func]bool)}
	for _, u := range l.checked {
		files := make([]*ast.File, len(u.syntax))
		for i, f := range u.syntax {
			files[i] = o.inOrder(u, f)
			l.info.FileVersions[files[i]] = l.info.FileVersions[f]
		}
		l.prog.CreatePackage(u.types, files, l.info, true)
	}
	l.prog.Build()
	pkg.SSA = l.prog.Package(l.main.types)
	pkg.Files = l.main.syntax
	for _, u := range l.checked {
		if u != l.main {
			pkg.Imports = append(pkg.Imports, &Import{Types: u.types, Files: u.syntax, Library: u.library})
		}
	}
	for _, fn := range l.roots {
		pkg.Roots = append(pkg.Roots, l.prog.FuncValue(fn))
	}
	for _, fill := range l.onceBuilt {
		fill()
	}
	return nil
}
