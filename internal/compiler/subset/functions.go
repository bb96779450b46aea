package subset

import (
	"go/ast"
	"go/types"
)

// Functions refuses what makes functions more than code to call: defer, recover,
// and function values that are kept where the compiler can't follow them.
var Functions = analyzer("wagglefunctions", "refuse defer, recover, print and stored function values in kernel code", functions)

func functions(v *visit, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.DeferStmt:
		return v.refuse(n, codeDefer, "defer statement in kernel code")
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
	if _, ok := under(v.value(n)).(*types.Signature); ok && !v.isCalled(n) && !v.followed(n) {
		return v.refuse(n, codeFuncValue, "function value kept in memory or compared in kernel code")
	}
	return true
}

// followed reports whether the function value n goes where the compiler knows it
// again: into a local variable, a parameter, a result, a range clause or a call.
func (v *visit) followed(n ast.Node) bool {
	for i := len(v.stack) - 1; i >= 0; i-- {
		switch x := v.stack[i].(type) {
		case *ast.ParenExpr:
			n = x
			continue
		case *ast.SelectorExpr:
			return n == x.Sel // the selector itself counts
		case *ast.IndexExpr:
			return n == x.X
		case *ast.IndexListExpr:
			return n == x.X
		case *ast.AssignStmt:
			return intoVariable(x, n)
		case *ast.ValueSpec:
			return i >= 2 // not at package level: declaration and statement are around it
		case *ast.CallExpr, *ast.ReturnStmt, *ast.ExprStmt:
			return true
		case *ast.RangeStmt:
			return n == x.X
		}
		return false
	}
	return false
}

// intoVariable reports whether n is the variable, or what is assigned to a plain
// variable, in an assignment.
func intoVariable(a *ast.AssignStmt, n ast.Node) bool {
	for i, l := range a.Lhs {
		_, plain := l.(*ast.Ident)
		if l == n {
			return plain
		}
		if i < len(a.Rhs) && a.Rhs[i] == n {
			return plain
		}
	}
	return false
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
