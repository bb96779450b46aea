package subset

import (
	"go/ast"
	"go/types"
)

// Concurrency refuses goroutines, channels and select.
var Concurrency = analyzer("waggleconcurrency", "refuse goroutines, channels and select in kernel code", concurrency)

func concurrency(v *visit, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		return v.refuse(n, codeGo, "go statement in kernel code")
	case *ast.SelectStmt:
		return v.refuse(n, codeSelect, "select statement in kernel code")
	case *ast.SendStmt:
		return v.refuse(n, codeChan, "channel send in kernel code")
	case *ast.ChanType:
		return v.refuse(n, codeChan, "channel type in kernel code")
	}
	if _, ok := under(v.value(n)).(*types.Chan); ok {
		return v.refuse(n, codeChan, "channel in kernel code")
	}
	return true
}
