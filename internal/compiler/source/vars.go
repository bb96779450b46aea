package source

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/types"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// readVars turns the reached package variables into maps and globals: those of
// the package itself first, in source order.
func (l *loader) readVars(pkg *Package) {
	vars := slices.Clone(l.reached.vars)
	slices.SortFunc(vars, func(a, b *types.Var) int {
		ua, ub := l.reached.where[a].unit, l.reached.where[b].unit
		if (ua == l.main) != (ub == l.main) {
			if ua == l.main {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(ua.path, ub.path), cmp.Compare(a.Pos(), b.Pos()))
	})
	names := l.nameVars(vars)
	for _, v := range vars {
		kind, named := mapType(v.Type())
		switch {
		case kind != nil:
			if m := l.readMap(v, kind, named); m != nil {
				m.Name = names[v]
				pkg.Maps = append(pkg.Maps, m)
				l.mapVars[v] = m
				l.onceBuilt = append(l.onceBuilt, func() { m.Var = l.global(v) })
			}
		case l.sizes.Sizeof(v.Type()) == 0:
			// Nothing to put anywhere.
		default:
			if g := l.readGlobal(v); g != nil {
				g.Name = names[v]
				pkg.Globals = append(pkg.Globals, g)
				l.onceBuilt = append(l.onceBuilt, func() { g.Var = l.global(v) })
			}
		}
	}
}

// mapType returns the table row of one of package bpf's map types; nil if t is
// none.
func mapType(t types.Type) (*abi.MapType, *types.Named) {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil || named.Obj().Pkg().Path() != bpfPath {
		return nil, nil
	}
	return abi.MapTypeByGoName(named.Obj().Name()), named
}

// reservedPrefix starts the names that loaders know; they are never changed.
const reservedPrefix = "waggle_"

// nameVars gives every variable a C identifier of its own: its Go name, with the
// package's in front of it if it is another package's, so that no import changes
// the name of anything. Reserved names come first, then the package's own.
func (l *loader) nameVars(vars []*types.Var) map[*types.Var]string {
	order := slices.Clone(vars)
	slices.SortStableFunc(order, func(a, b *types.Var) int {
		return cmp.Compare(nameRank(a, l.main.types), nameRank(b, l.main.types))
	})
	taken := make(map[string]bool)
	for obj := range l.reached.done {
		if fn, ok := obj.(*types.Func); ok && fn.Pkg() == l.main.types {
			taken[fn.Name()] = true
		}
	}
	names := make(map[*types.Var]string)
	for _, v := range order {
		name := cIdent(v.Name())
		if nameRank(v, l.main.types) == imported {
			name = cIdent(v.Pkg().Name()) + "_" + name
		}
		for base, n := name, 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", base, n)
		}
		taken[name] = true
		names[v] = name
	}
	return names
}

// The ranks of variables, in the order in which they get names.
const (
	reserved = iota
	own
	imported
)

func nameRank(v *types.Var, main *types.Package) int {
	switch {
	case strings.HasPrefix(v.Name(), reservedPrefix) && v.Pkg() != main:
		return reserved
	case v.Pkg() == main:
		return own
	}
	return imported
}

// cIdent writes a Go identifier in the letters that C has.
func cIdent(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r < unicode.MaxASCII {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "u%04x", r)
		}
	}
	return b.String()
}

// initialValue returns the expression that a variable starts with; nil if none.
func (l *loader) initialValue(v *types.Var) ast.Expr {
	spec := l.reached.where[v].node.(*ast.ValueSpec)
	for i, id := range spec.Names {
		if l.info.Defs[id] == v && len(spec.Values) > 0 {
			return ast.Unparen(spec.Values[min(i, len(spec.Values)-1)])
		}
	}
	return nil
}

// global returns the variable in go/ssa.
func (l *loader) global(v *types.Var) *ssa.Global {
	return l.prog.Package(v.Pkg()).Var(v.Name())
}

// checkInits refuses init functions that use variables of programs.
func (l *loader) checkInits() {
	for _, u := range l.checked {
		for _, f := range u.syntax {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "init" && fn.Recv == nil && !u.library {
					l.checkInit(fn)
				}
			}
		}
	}
}

func (l *loader) checkInit(fn *ast.FuncDecl) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			if v, ok := l.info.Uses[id].(*types.Var); ok && l.reached.done[v] {
				l.refuse(id.Pos(), codeInit, "init uses variable %s, which programs use", v.Name())
			}
		}
		return true
	})
}
