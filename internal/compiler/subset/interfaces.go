package subset

import (
	"go/ast"
	"go/types"
)

// Interfaces refuses values of interface type. Constraints are not values, a
// library function may take one (a log's arguments, a program's context), and so
// may panic.
var Interfaces = analyzer("waggleinterfaces", "refuse interface values in kernel code", interfaces)

func interfaces(v *visit, n ast.Node) bool {
	if isLibrary(v.Pkg) {
		return false
	}
	switch n := n.(type) {
	case *ast.TypeAssertExpr:
		return v.refuse(n, codeAssertion, "type assertion in kernel code")
	case *ast.TypeSwitchStmt:
		return v.refuse(n, codeTypeSwitch, "type switch in kernel code")
	case *ast.InterfaceType:
		return false // what it declares is looked at by name
	case *ast.CallExpr:
		if v.builtin(n) == "recover" {
			return true // another rule's
		}
	case *ast.FuncDecl:
		return v.checkSignature(n)
	case *ast.Ident:
		for t := range v.TypesInfo.Instances[n].TypeArgs.Types() {
			if isInterfaceValue(t) {
				return v.refuse(n, codeInterface, "type argument %s, an interface, in kernel code", v.typeName(t))
			}
		}
	}
	if t := v.value(n); isInterfaceValue(t) {
		return v.refuse(n, codeInterface, "value of interface type %s in kernel code", v.typeName(t))
	}
	return true
}

// checkSignature looks at parameters and results, which may have no names.
func (v *visit) checkSignature(d *ast.FuncDecl) bool {
	fields := d.Type.Params.List
	if d.Type.Results != nil {
		fields = append(fields[:len(fields):len(fields)], d.Type.Results.List...)
	}
	for _, f := range fields {
		t := v.TypesInfo.TypeOf(f.Type)
		if variadic, ok := f.Type.(*ast.Ellipsis); ok {
			t = v.TypesInfo.TypeOf(variadic.Elt)
		}
		if isInterfaceValue(t) {
			return v.refuse(f, codeInterface, "function %s with a parameter or result of interface type %s", d.Name.Name, v.typeName(t))
		}
	}
	return true
}

// isInterfaceValue reports whether variables of type t hold interface values
// that the compiler has no use for. The library's own interfaces stand for
// pointers to contexts.
func isInterfaceValue(t types.Type) bool {
	if t == nil {
		return false
	}
	if _, ok := under(t).(*types.Interface); !ok {
		return false
	}
	named, ok := types.Unalias(t).(*types.Named)
	return !ok || !isLibrary(named.Obj().Pkg())
}

func (v *visit) typeName(t types.Type) string {
	return types.TypeString(t, types.RelativeTo(v.Pkg))
}
