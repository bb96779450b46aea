package source

import (
	"go/ast"
	"go/types"
)

// copier copies syntax as far as it changes, with what go/types knows of it.
type copier struct {
	info *types.Info
	// replace returns what stands in the place of an expression; nil to look at
	// its parts.
	replace func(ast.Expr) ast.Expr
}

// exprsOf returns the expressions of a statement, without those in statements
// inside of it.
func exprsOf(s ast.Stmt) []ast.Expr {
	var list []ast.Expr
	c := copier{replace: func(e ast.Expr) ast.Expr {
		list = append(list, e)
		return e
	}}
	c.stmt(s)
	return list
}

func (c *copier) expr(e ast.Expr) ast.Expr {
	if e == nil {
		return nil
	}
	if r := c.replace(e); r != nil {
		return r
	}
	var res ast.Expr
	switch e := e.(type) {
	case *ast.ParenExpr:
		res = &ast.ParenExpr{Lparen: e.Lparen, X: c.expr(e.X), Rparen: e.Rparen}
	case *ast.SelectorExpr:
		if c.info.Selections[e] == nil {
			return e
		}
		sel := &ast.SelectorExpr{X: c.expr(e.X), Sel: e.Sel}
		c.info.Selections[sel] = c.info.Selections[e]
		res = sel
	case *ast.StarExpr:
		res = &ast.StarExpr{Star: e.Star, X: c.expr(e.X)}
	case *ast.UnaryExpr:
		res = &ast.UnaryExpr{OpPos: e.OpPos, Op: e.Op, X: c.expr(e.X)}
	case *ast.BinaryExpr:
		res = &ast.BinaryExpr{X: c.expr(e.X), OpPos: e.OpPos, Op: e.Op, Y: c.expr(e.Y)}
	case *ast.KeyValueExpr:
		res = &ast.KeyValueExpr{Key: e.Key, Colon: e.Colon, Value: c.expr(e.Value)}
	case *ast.IndexExpr:
		if c.info.Types[e.Index].IsType() {
			return e
		}
		res = &ast.IndexExpr{X: c.expr(e.X), Lbrack: e.Lbrack, Index: c.expr(e.Index), Rbrack: e.Rbrack}
	case *ast.SliceExpr:
		s := *e
		s.X, s.Low, s.High, s.Max = c.expr(e.X), c.expr(e.Low), c.expr(e.High), c.expr(e.Max)
		res = &s
	case *ast.CompositeLit:
		lit := *e
		lit.Elts = c.elements(e.Elts)
		res = &lit
	case *ast.CallExpr:
		call := *e
		if !c.info.Types[e.Fun].IsType() {
			call.Fun = c.expr(e.Fun)
		}
		call.Args = c.exprs(e.Args)
		res = &call
	default:
		return e
	}
	if tv, ok := c.info.Types[e]; ok {
		c.info.Types[res] = tv
	}
	return res
}

func (c *copier) exprs(list []ast.Expr) []ast.Expr {
	if list == nil {
		return nil // which tells a default clause
	}
	res := make([]ast.Expr, len(list))
	for i, e := range list {
		res[i] = c.expr(e)
	}
	return res
}

// elements copies those of a composite literal; a pair has no value of its own.
func (c *copier) elements(list []ast.Expr) []ast.Expr {
	res := make([]ast.Expr, len(list))
	for i, e := range list {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			res[i] = &ast.KeyValueExpr{Key: kv.Key, Colon: kv.Colon, Value: c.expr(kv.Value)}
		} else {
			res[i] = c.expr(e)
		}
	}
	return res
}

// stmt copies a statement, but not the statements in it.
func (c *copier) stmt(s ast.Stmt) ast.Stmt {
	switch s := s.(type) {
	case *ast.ExprStmt:
		return &ast.ExprStmt{X: c.expr(s.X)}
	case *ast.AssignStmt:
		res := *s
		res.Lhs, res.Rhs = c.exprs(s.Lhs), c.exprs(s.Rhs)
		return &res
	case *ast.IncDecStmt:
		res := *s
		res.X = c.expr(s.X)
		return &res
	case *ast.ReturnStmt:
		res := *s
		res.Results = c.exprs(s.Results)
		return &res
	case *ast.IfStmt:
		res := *s
		res.Cond = c.expr(s.Cond)
		return &res
	case *ast.ForStmt:
		res := *s
		res.Cond = c.expr(s.Cond)
		return &res
	case *ast.RangeStmt:
		res := *s
		res.X = c.expr(s.X)
		return &res
	case *ast.SwitchStmt:
		return c.switchStmt(s)
	case *ast.DeclStmt:
		return c.declStmt(s)
	}
	return s
}

func (c *copier) switchStmt(s *ast.SwitchStmt) ast.Stmt {
	res, body := *s, *s.Body
	res.Tag = c.expr(s.Tag)
	body.List = make([]ast.Stmt, len(s.Body.List))
	for i, clause := range s.Body.List {
		copied := *clause.(*ast.CaseClause)
		copied.List = c.exprs(copied.List)
		body.List[i] = &copied
	}
	res.Body = &body
	return &res
}

func (c *copier) declStmt(s *ast.DeclStmt) ast.Stmt {
	gen, ok := s.Decl.(*ast.GenDecl)
	if !ok {
		return s
	}
	g := *gen
	g.Specs = make([]ast.Spec, len(gen.Specs))
	for i, spec := range gen.Specs {
		g.Specs[i] = spec
		if v, ok := spec.(*ast.ValueSpec); ok {
			copied := *v
			copied.Values = c.exprs(v.Values)
			g.Specs[i] = &copied
		}
	}
	return &ast.DeclStmt{Decl: &g}
}
