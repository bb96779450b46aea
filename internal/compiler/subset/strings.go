package subset

import (
	"go/ast"
	"go/token"
	"go/types"
)

// Strings refuses what makes or decodes strings at run time. Strings are
// constants, and what they can be compared with.
var Strings = analyzer("wagglestrings", "refuse building and decoding of strings in kernel code", stringRules)

func stringRules(v *visit, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		return v.checkStringOp(n)
	case *ast.AssignStmt:
		if n.Tok == token.ADD_ASSIGN && isString(v.TypesInfo.TypeOf(n.Lhs[0])) {
			return v.refuse(n, codeConcat, "string concatenation in kernel code")
		}
	case *ast.RangeStmt:
		if isString(v.TypesInfo.TypeOf(n.X)) {
			return v.refuse(n, codeRangeString, "range over a string in kernel code")
		}
	case *ast.CallExpr:
		if name := v.builtin(n); (name == "min" || name == "max") && isString(v.value(n)) {
			return v.refuse(n, codeStringOrder, "%s of strings in kernel code", name)
		}
		return v.checkStringConversion(n)
	}
	return true
}

func (v *visit) checkStringOp(n *ast.BinaryExpr) bool {
	if !isString(v.TypesInfo.TypeOf(n.X)) || v.TypesInfo.Types[n].Value != nil {
		return true
	}
	switch n.Op {
	case token.ADD:
		return v.refuse(n, codeConcat, "string concatenation in kernel code")
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		return v.refuse(n, codeStringOrder, "comparison of strings by order in kernel code")
	}
	return true
}

func (v *visit) checkStringConversion(n *ast.CallExpr) bool {
	from, to := v.conversion(n)
	if from == nil || v.TypesInfo.Types[n].Value != nil {
		return true
	}
	_, fromSlice := under(from).(*types.Slice)
	_, toSlice := under(to).(*types.Slice)
	switch {
	case isString(to) && fromSlice:
		if !v.isCompared(n) {
			return v.refuse(n, codeMakeString, "string made of a slice outside a comparison")
		}
	case isString(to) && basicInfo(from)&types.IsInteger != 0:
		return v.refuse(n, codeMakeString, "string made of a rune in kernel code")
	case isString(from) && toSlice:
		return v.refuse(n, codeStringSlice, "slice made of a string in kernel code")
	}
	return true
}

// isCompared reports whether the node is an operand of == or !=, or what a
// switch compares its cases with.
func (v *visit) isCompared(n ast.Node) bool {
	switch p := v.parent().(type) {
	case *ast.BinaryExpr:
		return p.Op == token.EQL || p.Op == token.NEQ
	case *ast.SwitchStmt:
		return p.Tag != nil && p.Tag.Pos() <= n.Pos() && n.End() <= p.Tag.End()
	case *ast.CaseClause:
		return true
	}
	return false
}
