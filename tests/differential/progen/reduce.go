package progen

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"slices"

	"golang.org/x/tools/go/ast/astutil"
)

// Reduce makes a program smaller as long as it stays interesting: it takes away
// declarations, statements and parts of expressions, one or several at a time,
// until nothing more can go.
func Reduce(src []byte, interesting func([]byte) bool) []byte {
	r := reducer{src: src, interesting: interesting}
	for again := true; again; {
		before := len(r.src)
		r.lists()
		r.exprs()
		again = len(r.src) < before
	}
	return r.src
}

type reducer struct {
	src         []byte
	interesting func([]byte) bool
}

// try takes what is left of f if it is still interesting.
func (r *reducer) try(fset *token.FileSet, f *ast.File) bool {
	var buf bytes.Buffer
	if err := format.Node(&buf, fset, f); err != nil {
		return false
	}
	if bytes.Equal(buf.Bytes(), r.src) || !r.interesting(buf.Bytes()) {
		return false
	}
	r.src = bytes.Clone(buf.Bytes())
	return true
}

func (r *reducer) parse() (*token.FileSet, *ast.File) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "prog.go", r.src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		panic("BUG: reduced program does not parse: " + err.Error())
	}
	return fset, f
}

// lists removes runs of declarations and statements, long runs first.
func (r *reducer) lists() {
	for n := 0; ; n++ {
		if !r.list(n) {
			return
		}
	}
}

// list shrinks the n-th list of the file; false if there is no such list.
func (r *reducer) list(n int) bool {
	size := r.listLen(n)
	if size < 0 {
		return false
	}
	for run := size; run > 0; run /= 2 {
		for at := r.listLen(n) - run; at >= 0; at-- {
			fset, f := r.parse()
			cut(f, n, at, run)
			r.try(fset, f)
			at = min(at, r.listLen(n)-run+1)
		}
	}
	for at := r.listLen(n) - 1; at >= 0; at-- {
		fset, f := r.parse()
		if unwrap(f, n, at) {
			r.try(fset, f)
			at = min(at, r.listLen(n))
		}
	}
	return true
}

func (r *reducer) listLen(n int) int {
	_, f := r.parse()
	size := -1
	eachList(f, func(i int, node ast.Node) {
		if i == n {
			size = listLen(node)
		}
	})
	return size
}

// eachList visits the nodes that hold a list, outer ones first.
func eachList(f *ast.File, visit func(i int, node ast.Node)) {
	i := 0
	ast.Inspect(f, func(node ast.Node) bool {
		switch node.(type) {
		case *ast.File, *ast.BlockStmt, *ast.CaseClause, *ast.CompositeLit:
			visit(i, node)
			i++
		}
		return true
	})
}

func listLen(node ast.Node) int {
	switch node := node.(type) {
	case *ast.File:
		return len(node.Decls)
	case *ast.BlockStmt:
		return len(node.List)
	case *ast.CaseClause:
		return len(node.Body)
	case *ast.CompositeLit:
		return len(node.Elts)
	}
	return 0
}

// cut removes run elements of the n-th list.
func cut(f *ast.File, n, at, run int) {
	eachList(f, func(i int, node ast.Node) {
		if i != n {
			return
		}
		switch node := node.(type) {
		case *ast.File:
			for _, d := range node.Decls[at : at+run] {
				f.Comments = slices.DeleteFunc(f.Comments, func(c *ast.CommentGroup) bool {
					return d.Pos()-200 < c.Pos() && c.End() <= d.End() && isDoc(d, c)
				})
			}
			node.Decls = slices.Delete(node.Decls, at, at+run)
		case *ast.BlockStmt:
			node.List = slices.Delete(node.List, at, at+run)
		case *ast.CaseClause:
			node.Body = slices.Delete(node.Body, at, at+run)
		case *ast.CompositeLit:
			node.Elts = slices.Delete(node.Elts, at, at+run)
		}
	})
}

func isDoc(d ast.Decl, c *ast.CommentGroup) bool {
	fn, ok := d.(*ast.FuncDecl)
	return ok && fn.Doc == c
}

// unwrap puts the statements inside a statement in its place.
func unwrap(f *ast.File, n, at int) (ok bool) {
	eachList(f, func(i int, node ast.Node) {
		b, isBlock := node.(*ast.BlockStmt)
		if i != n || !isBlock || at >= len(b.List) {
			return
		}
		var inner []ast.Stmt
		switch s := b.List[at].(type) {
		case *ast.IfStmt:
			inner = s.Body.List
		case *ast.ForStmt:
			inner = s.Body.List
		case *ast.RangeStmt:
			inner = s.Body.List
		case *ast.BlockStmt:
			inner = s.List
		case *ast.LabeledStmt:
			inner = []ast.Stmt{s.Stmt}
		default:
			return
		}
		b.List = slices.Replace(b.List, at, at+1, inner...)
		ok = true
	})
	return ok
}

// exprs replaces expressions by a part of themselves or by a number.
func (r *reducer) exprs() {
	for n := 0; ; n++ {
		for k := 0; ; k++ {
			fset, f := r.parse()
			found, changed := replace(f, n, k)
			if !found {
				return
			}
			if !changed {
				break
			}
			if r.try(fset, f) {
				k = -1
			}
		}
	}
}

// replace puts the k-th smaller form in the place of the n-th expression.
func replace(f *ast.File, n, k int) (found, changed bool) {
	i := 0
	astutil.Apply(f, func(c *astutil.Cursor) bool {
		e, ok := c.Node().(ast.Expr)
		if !ok || found {
			return !found
		}
		if i++; i-1 != n {
			return true
		}
		found = true
		if forms := smaller(e); k < len(forms) {
			c.Replace(forms[k])
			changed = true
		}
		return false
	}, nil)
	return found, changed
}

func smaller(e ast.Expr) []ast.Expr {
	number := func(s string) ast.Expr { return &ast.BasicLit{Kind: token.INT, Value: s} }
	switch e := e.(type) {
	case *ast.ParenExpr:
		return []ast.Expr{e.X, number("1")}
	case *ast.BinaryExpr:
		return []ast.Expr{e.X, e.Y, number("1")}
	case *ast.UnaryExpr:
		return []ast.Expr{e.X, number("1")}
	case *ast.CallExpr:
		return append(slices.Clone(e.Args), number("1"))
	case *ast.IndexExpr:
		return []ast.Expr{number("1"), &ast.IndexExpr{X: e.X, Index: number("0")}}
	case *ast.SelectorExpr:
		return []ast.Expr{number("1")}
	case *ast.BasicLit:
		if len(e.Value) > 1 {
			return []ast.Expr{number("1"), number("0")}
		}
	}
	return nil
}
