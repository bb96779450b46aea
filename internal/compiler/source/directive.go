package source

import (
	"go/ast"
	"strings"
)

// directivePrefix starts every directive comment.
const directivePrefix = "//bpf:"

// hasLowering reports whether a directive replaces the function's body.
func hasLowering(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, directivePrefix+"helper ") || strings.HasPrefix(c.Text, directivePrefix+"intrinsic ") {
			return true
		}
	}
	return false
}
