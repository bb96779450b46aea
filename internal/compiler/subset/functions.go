package subset

import (
	"go/ast"
	"go/types"
)

// Functions refuses what makes functions more than code to call: defer, recover,
// function values, literals and iterators.
var Functions = analyzer("wagglefunctions", "refuse defer, recover, print, closures and function values in kernel code", functions)

func functions(v *visit, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.DeferStmt:
		return v.refuse(n, codeDefer, "defer statement in kernel code")
	case *ast.FuncLit:
		return v.refuse(n, codeFuncLit, "function literal in kernel code")
	case *ast.RangeStmt:
		if _, ok := under(v.TypesInfo.TypeOf(n.X)).(*types.Signature); ok {
			return v.refuse(n, codeRangeFunc, "range over an iterator function in kernel code")
		}
	case *ast.CallExpr:
		switch v.builtin(n) {
		case "recover":
			return v.refuse(n, codeRecover, "recover in kernel code")
		case "print", "println":
			return v.refuse(n, codePrint, "%s in kernel code", v.builtin(n))
		}
	}
	if _, params := n.(*ast.FuncType); params {
		return false // what is passed counts, and what is called
	}
	if id, ok := n.(*ast.Ident); ok && v.TypesInfo.Defs[id] != nil {
		return true // what it starts with counts
	}
	if _, ok := under(v.value(n)).(*types.Signature); ok && !v.isCalled(n) {
		return v.refuse(n, codeFuncValue, "function value in kernel code")
	}
	return true
}

// isCalled reports whether n names the function that the call around it calls.
func (v *visit) isCalled(n ast.Node) bool {
	for i := len(v.stack) - 1; i >= 0; i-- {
		switch x := v.stack[i].(type) {
		case *ast.ParenExpr:
		case *ast.SelectorExpr:
			if n != x.Sel {
				return false
			}
		case *ast.IndexExpr:
			if n != x.X {
				return false
			}
		case *ast.IndexListExpr:
			if n != x.X {
				return false
			}
		case *ast.FuncDecl:
			return n == x.Name
		case *ast.CallExpr:
			return n == x.Fun && v.callee(x) != nil
		default:
			return false
		}
		n = v.stack[i]
	}
	return false
}
