package subset

import (
	"go/ast"
	"go/token"
	"go/types"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// Variables refuses uses of package variables that the kernel has no form for:
// maps as values, and init functions.
var Variables = analyzer("wagglevariables", "refuse copies of maps in kernel code", variables)

func variables(v *visit, n ast.Node) bool {
	if sel, ok := n.(*ast.SelectorExpr); ok && v.isMapField(sel) {
		return v.refuse(n, codeMapCopy, "field %s of a map, which can only be read, by the name of the map's variable", sel.Sel.Name)
	}
	t := v.value(n)
	if !isMap(t) {
		return true
	}
	if id, ok := n.(*ast.Ident); ok && v.TypesInfo.Defs[id] != nil {
		if isPackageVar(v.TypesInfo.Defs[id]) {
			return true
		}
		return v.refuse(n, codeMapCopy, "map in a local variable")
	}
	if _, ok := n.(*ast.ParenExpr); ok {
		return true
	}
	if _, lit := n.(*ast.CompositeLit); lit && v.isPackageLevel() {
		return true
	}
	switch p := v.parent().(type) {
	case *ast.SelectorExpr:
		if ast.Unparen(p.X) != n { // pkg.Map: the whole is looked at
			return true
		}
		return v.isDeclared(n) || v.refuse(n, codeMapCopy, "map that is not a package variable")
	case *ast.UnaryExpr:
		if p.Op == token.AND {
			return v.isDeclared(n) || v.refuse(n, codeMapCopy, "map that is not a package variable")
		}
	}
	return v.refuse(n, codeMapCopy, "copy of a map")
}

// isMapField reports whether an expression is a field of a map. Those that can be
// read have been made constants of (see package source).
func (v *visit) isMapField(sel *ast.SelectorExpr) bool {
	s := v.TypesInfo.Selections[sel]
	if s == nil || s.Kind() != types.FieldVal || v.TypesInfo.Types[sel].Value != nil {
		return false
	}
	t := deref(s.Recv())
	for _, i := range s.Index()[:len(s.Index())-1] { // embedded ones
		st, ok := under(t).(*types.Struct)
		if !ok {
			return false
		}
		t = deref(st.Field(i).Type())
	}
	return isMap(t)
}

// deref returns what t points to, t itself if it is no pointer.
func deref(t types.Type) types.Type {
	if p, ok := under(t).(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

func isMap(t types.Type) bool {
	if t == nil {
		return false
	}
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == bpfPath && abi.MapTypeByGoName(named.Obj().Name()) != nil
}

func isPackageVar(obj types.Object) bool {
	v, ok := obj.(*types.Var)
	return ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope()
}

// isDeclared reports whether n names a package variable, or is reached through a
// pointer, which then came from one.
func (v *visit) isDeclared(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.Ident:
		return isPackageVar(v.TypesInfo.Uses[n])
	case *ast.SelectorExpr:
		return isPackageVar(v.TypesInfo.Uses[n.Sel])
	case *ast.StarExpr:
		return true
	}
	return false
}

// isPackageLevel reports whether the node stands in no function.
func (v *visit) isPackageLevel() bool {
	for _, n := range v.stack {
		if _, ok := n.(*ast.FuncDecl); ok {
			return false
		}
	}
	return true
}
