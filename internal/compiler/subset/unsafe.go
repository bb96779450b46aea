package subset

import (
	"go/ast"
	"go/types"
)

// Unsafe refuses arithmetic on addresses. Sizes, offsets and conversions between
// pointer types are fine: the kernel's verifier has the last word anyway.
var Unsafe = analyzer("waggleunsafe", "refuse arithmetic on addresses in kernel code", unsafeRules)

func unsafeRules(v *visit, n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return true
	}
	switch name := v.builtin(call); name {
	case "unsafe.Add", "unsafe.Slice", "unsafe.SliceData", "unsafe.String", "unsafe.StringData":
		return v.refuse(n, codeUnsafe, "%s in kernel code", name)
	}
	from, to := v.conversion(call)
	if from == nil {
		return true
	}
	switch {
	case isUnsafePointer(from) && basicInfo(to)&types.IsInteger != 0:
		return v.refuse(n, codeUnsafe, "address made an integer in kernel code")
	case isUnsafePointer(to) && basicInfo(from)&types.IsInteger != 0:
		return v.refuse(n, codeUnsafe, "integer made an address in kernel code")
	}
	return true
}

func isUnsafePointer(t types.Type) bool {
	b, ok := under(t).(*types.Basic)
	return ok && b.Kind() == types.UnsafePointer
}
