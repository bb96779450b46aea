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
		if p.X != n { // pkg.Map: the whole is looked at
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
