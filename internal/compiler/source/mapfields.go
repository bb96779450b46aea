package source

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
)

// foldMapFields makes constants of the fields of map variables that the code
// reads: to the kernel the variable is an object that has no such fields, and
// what Go would read is the literal's. What is no plain read of a variable's
// field stays as it is, for package subset to refuse.
func (l *loader) foldMapFields() {
	for _, u := range l.checked {
		if u.library {
			continue // its bodies are the native twins
		}
		for _, f := range u.syntax {
			ast.PreorderStack(f, nil, func(n ast.Node, stack []ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && !isPlace(sel, stack) {
					l.foldMapField(sel)
				}
				return true
			})
		}
	}
}

// isPlace reports whether an expression is assigned to, or its address taken.
func isPlace(e ast.Expr, stack []ast.Node) bool {
	for i := len(stack) - 1; i >= 0; i-- {
		switch p := stack[i].(type) {
		case *ast.ParenExpr:
			e = p
			continue
		case *ast.UnaryExpr:
			return p.Op == token.AND
		case *ast.IncDecStmt:
			return true
		case *ast.RangeStmt:
			return p.Key == e || p.Value == e
		case *ast.AssignStmt:
			for _, l := range p.Lhs {
				if l == e {
					return true
				}
			}
		}
		return false
	}
	return false
}

func (l *loader) foldMapField(sel *ast.SelectorExpr) {
	s := l.info.Selections[sel]
	if s == nil || s.Kind() != types.FieldVal {
		return
	}
	v := l.mapVars[l.packageVar(sel.X)]
	if v == nil {
		return
	}
	tv := l.info.Types[sel]
	switch value := v.fields[s.Obj().Name()]; {
	case value != nil:
		tv.Value = value
	case tv.Type.Underlying() == types.Typ[types.Bool]:
		tv.Value = constant.MakeBool(false)
	default:
		tv.Value = constant.MakeInt64(0)
	}
	l.info.Types[sel] = tv
}

// packageVar returns the package variable that an expression names; nil if it is
// another expression.
func (l *loader) packageVar(e ast.Expr) *types.Var {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		v, _ := l.info.Uses[e].(*types.Var)
		return v
	case *ast.SelectorExpr:
		if l.info.Selections[e] == nil { // qualified by the package
			v, _ := l.info.Uses[e.Sel].(*types.Var)
			return v
		}
	}
	return nil
}
