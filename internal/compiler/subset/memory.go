package subset

import (
	"go/ast"
	"go/types"
)

// Memory refuses what allocates an amount of memory that shows only at run time.
var Memory = analyzer("wagglememory", "refuse Go maps, append and make of dynamic size in kernel code", memory)

func memory(v *visit, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		switch v.builtin(n) {
		case "append":
			return v.refuse(n, codeAppend, "append in kernel code")
		case "make":
			return v.checkMake(n)
		}
	case *ast.MapType:
		return v.refuse(n, codeGoMap, "Go map type in kernel code")
	}
	if _, ok := under(v.value(n)).(*types.Map); ok {
		return v.refuse(n, codeGoMap, "Go map in kernel code")
	}
	return true
}

// checkMake wants the sizes of a slice to be constants.
func (v *visit) checkMake(call *ast.CallExpr) bool {
	if _, ok := under(v.TypesInfo.TypeOf(call)).(*types.Slice); !ok {
		return true // another rule's
	}
	for _, size := range call.Args[1:] {
		if v.TypesInfo.Types[size].Value == nil {
			return v.refuse(call, codeMake, "make of a size that is not constant")
		}
	}
	return true
}
