package subset

import (
	"go/ast"
	"go/token"
	"go/types"
)

// Floats refuses floating-point and complex numbers, constants excepted.
var Floats = analyzer("wagglefloats", "refuse floating-point and complex numbers in kernel code", floats)

func floats(v *visit, n ast.Node) bool {
	t := v.value(n)
	if t == nil {
		t = v.unnamed(n)
	}
	if t != nil {
		switch info := basicInfo(t); {
		case info&types.IsFloat != 0:
			return v.refuse(n, codeFloat, "floating-point number of type %s in kernel code", v.typeName(t))
		case info&types.IsComplex != 0:
			return v.refuse(n, codeComplex, "complex number of type %s in kernel code", v.typeName(t))
		}
	}
	if cmp, ok := n.(*ast.BinaryExpr); ok && (cmp.Op == token.EQL || cmp.Op == token.NEQ) {
		if t := v.TypesInfo.TypeOf(cmp.X); t != nil && holdsFloat(t) {
			return v.refuse(n, codeFloat, "comparison of %s, which holds floating-point numbers", v.typeName(t))
		}
	}
	return true
}

// unnamed returns the type of n if it is that of a parameter or result without a
// name, else nil.
func (v *visit) unnamed(n ast.Node) types.Type {
	e, ok := n.(ast.Expr)
	if !ok || len(v.stack) < 3 {
		return nil
	}
	around := v.stack[len(v.stack)-3:]
	_, signature := around[0].(*ast.FuncType)
	field, ok := around[2].(*ast.Field)
	if !signature || !ok || field.Type != e || len(field.Names) > 0 {
		return nil
	}
	return v.TypesInfo.TypeOf(e)
}

func holdsFloat(t types.Type) bool {
	switch u := under(t).(type) {
	case *types.Basic:
		return u.Info()&(types.IsFloat|types.IsComplex) != 0 && u.Info()&types.IsUntyped == 0
	case *types.Array:
		return holdsFloat(u.Elem())
	case *types.Struct:
		for f := range u.Fields() {
			if holdsFloat(f.Type()) {
				return true
			}
		}
	}
	return false
}
