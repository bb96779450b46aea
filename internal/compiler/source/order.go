package source

import (
	"go/ast"
	"go/token"
	"go/types"
)

// Go leaves open when an operand that is no call is evaluated: in x + f(), f may
// change x before or after it is read. Its compiler makes all calls of a statement
// first, from left to right, and keeps their results in temporary variables; then
// it reads what else there is (cmd/compile/internal/walk/order.go). go/ssa reads
// everything from left to right. So that kernel code means what the Go compiler
// makes of it, the statements in which it matters are rewritten before go/ssa sees
// them: calls go in front, with a variable in their place.
//
// The rewriting makes new syntax with what go/types knows of the old; the old one,
// a library's parsed once for all, stays as it is.

// orderer rewrites functions.
type orderer struct {
	info    *types.Info
	effects *effects
	pkg     *types.Package      // whose function is being rewritten
	shared  map[*types.Var]bool // its variables that more than one function sees
	targets map[types.Object]bool
}

// inOrder returns a file with its functions rewritten.
func (o *orderer) inOrder(u *unit, f *ast.File) *ast.File {
	o.pkg = u.types
	res := *f
	res.Decls = make([]ast.Decl, len(f.Decls))
	changed := false
	for i, d := range f.Decls {
		res.Decls[i] = d
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		o.shared, o.targets = o.sharedVars(fn), o.gotoTargets(fn)
		if body := o.block(fn.Body); body != fn.Body {
			rewritten := *fn
			rewritten.Body = body
			res.Decls[i], changed = &rewritten, true
		}
	}
	if !changed {
		return f
	}
	return &res
}

func (o *orderer) block(b *ast.BlockStmt) *ast.BlockStmt {
	if b == nil {
		return nil
	}
	list := o.list(b.List)
	if list == nil {
		return b
	}
	res := *b
	res.List = list
	return &res
}

// list rewrites statements; nil if none changes.
func (o *orderer) list(stmts []ast.Stmt) []ast.Stmt {
	var res []ast.Stmt
	for i, s := range stmts {
		t := o.stmt(s)
		if t != s && res == nil {
			res = append(make([]ast.Stmt, 0, len(stmts)), stmts[:i]...)
		}
		if res != nil {
			res = append(res, t)
		}
	}
	return res
}

// stmt rewrites one statement and what is inside; it returns s itself if nothing
// changes.
func (o *orderer) stmt(s ast.Stmt) ast.Stmt {
	s = o.literals(s)
	switch s := s.(type) {
	case *ast.BlockStmt:
		return o.block(s)
	case *ast.LabeledStmt:
		return o.labeled(s)
	case *ast.ExprStmt:
		return o.exprStmt(s)
	case *ast.AssignStmt:
		return o.assign(s)
	case *ast.IncDecStmt:
		return o.incDec(s)
	case *ast.DeclStmt:
		return o.declare(s)
	case *ast.ReturnStmt:
		return o.ret(s)
	case *ast.IfStmt:
		return o.ifStmt(s)
	case *ast.ForStmt:
		h := &hoist{o: o}
		return h.around(h.forStmt(s))
	case *ast.RangeStmt:
		h := &hoist{o: o}
		return h.around(h.rangeStmt(s))
	case *ast.SwitchStmt:
		return o.switchStmt(s)
	}
	return s
}

// labeled keeps the label of a loop at the loop. What goes in front of that goes in
// front of the label, unless somebody jumps there.
func (o *orderer) labeled(s *ast.LabeledStmt) ast.Stmt {
	h := &hoist{o: o, fixed: o.targets[o.info.Defs[s.Label]]}
	inner := o.literals(s.Stmt)
	switch x := inner.(type) {
	case *ast.ForStmt:
		inner = h.forStmt(x)
	case *ast.RangeStmt:
		inner = h.rangeStmt(x)
	default:
		inner = o.stmt(inner)
	}
	if inner == s.Stmt {
		return s
	}
	res := *s
	res.Stmt = inner
	return h.around(&res)
}

// gotoTargets returns the labels that goto statements name.
func (o *orderer) gotoTargets(fn *ast.FuncDecl) map[types.Object]bool {
	targets := make(map[types.Object]bool)
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if b, ok := n.(*ast.BranchStmt); ok && b.Tok == token.GOTO {
			targets[o.info.Uses[b.Label]] = true
		}
		return true
	})
	return targets
}

// literals rewrites the function literals in the expressions of a statement.
func (o *orderer) literals(s ast.Stmt) ast.Stmt {
	bodies := make(map[*ast.FuncLit]*ast.BlockStmt)
	for _, e := range exprsOf(s) {
		ast.Inspect(e, func(n ast.Node) bool {
			lit, ok := n.(*ast.FuncLit)
			if !ok {
				return true
			}
			if body := o.block(lit.Body); body != lit.Body {
				bodies[lit] = body
			}
			return false
		})
	}
	if len(bodies) == 0 {
		return s
	}
	c := &copier{info: o.info, replace: func(e ast.Expr) ast.Expr {
		lit, ok := e.(*ast.FuncLit)
		if !ok || bodies[lit] == nil {
			return nil
		}
		res := *lit
		res.Body = bodies[lit]
		o.info.Types[&res] = o.info.Types[lit]
		return &res
	}}
	return c.stmt(s)
}

func (o *orderer) exprStmt(s *ast.ExprStmt) ast.Stmt {
	call, ok := ast.Unparen(s.X).(*ast.CallExpr)
	if !ok || !o.matters(nil, s.X) {
		return s
	}
	h := &hoist{o: o}
	return h.around(&ast.ExprStmt{X: h.call(call)})
}

func (o *orderer) assign(s *ast.AssignStmt) ast.Stmt {
	var places []ast.Expr
	for _, l := range s.Lhs {
		if _, plain := ast.Unparen(l).(*ast.Ident); !plain || s.Tok != token.ASSIGN && s.Tok != token.DEFINE {
			places = append(places, l)
		}
	}
	if !o.matters(places, s.Rhs...) {
		return s
	}
	h := &hoist{o: o}
	res := *s
	if s.Tok != token.DEFINE {
		res.Lhs = h.places(s.Lhs)
	}
	res.Rhs = h.values(s.Rhs)
	return h.around(&res)
}

func (o *orderer) incDec(s *ast.IncDecStmt) ast.Stmt {
	if !o.matters([]ast.Expr{s.X}) {
		return s
	}
	h := &hoist{o: o}
	res := *s
	res.X = h.place(s.X)
	return h.around(&res)
}

func (o *orderer) declare(s *ast.DeclStmt) ast.Stmt {
	gen, ok := s.Decl.(*ast.GenDecl)
	if !ok || gen.Tok != token.VAR {
		return s
	}
	var list []ast.Stmt
	changed := false
	for _, spec := range gen.Specs {
		v := spec.(*ast.ValueSpec)
		h := &hoist{o: o}
		if o.matters(nil, v.Values...) {
			changed = true
			res := *v
			res.Values = h.values(v.Values)
			v = &res
		}
		g := *gen
		g.Specs = []ast.Spec{v}
		list = append(append(list, h.out...), &ast.DeclStmt{Decl: &g})
	}
	if !changed {
		return s
	}
	return &ast.BlockStmt{Lbrace: s.Pos(), List: list, Rbrace: s.End()}
}

func (o *orderer) ret(s *ast.ReturnStmt) ast.Stmt {
	if !o.matters(nil, s.Results...) {
		return s
	}
	h := &hoist{o: o}
	res := *s
	res.Results = h.values(s.Results)
	return h.around(&res)
}

func (o *orderer) ifStmt(s *ast.IfStmt) ast.Stmt {
	res := *s
	if s.Init != nil {
		res.Init = o.stmt(s.Init)
	}
	res.Body = o.block(s.Body)
	if s.Else != nil {
		res.Else = o.stmt(s.Else)
	}
	if o.matters(nil, s.Cond) {
		h := &hoist{o: o}
		res.Cond = h.expr(s.Cond)
		res.Init = h.before(res.Init, s.Pos())
	}
	if res == *s {
		return s
	}
	return &res
}

// forStmt puts what goes in front of a condition at the start of the body, as
//
//	for init; ; post { ...; if !cond { break }; body }
func (h *hoist) forStmt(s *ast.ForStmt) ast.Stmt {
	o := h.o
	res := *s
	res.Body = o.block(s.Body)
	if s.Init != nil {
		res.Init = h.forInit(s.Init)
	}
	if s.Post != nil {
		res.Post = o.stmt(s.Post)
	}
	if s.Cond != nil && o.matters(nil, s.Cond) {
		inside := &hoist{o: o}
		cond := o.not(inside.expr(s.Cond))
		leave := &ast.BranchStmt{TokPos: s.Cond.Pos(), Tok: token.BREAK}
		check := &ast.IfStmt{If: s.Cond.Pos(), Cond: cond, Body: &ast.BlockStmt{List: []ast.Stmt{leave}}}
		body := *res.Body
		body.List = append(append(inside.out, check), res.Body)
		res.Cond, res.Body = nil, &body
	}
	if res == *s {
		return s
	}
	return &res
}

// forInit keeps the declaration of loop variables what it is.
func (h *hoist) forInit(s ast.Stmt) ast.Stmt {
	def, ok := s.(*ast.AssignStmt)
	if !ok || def.Tok != token.DEFINE || !h.o.matters(nil, def.Rhs...) {
		return h.o.stmt(s)
	}
	res := *def
	if h.fixed {
		res.Rhs = []ast.Expr{h.o.atOnce(def.Rhs...)}
	} else {
		res.Rhs = h.values(def.Rhs)
	}
	return &res
}

func (h *hoist) rangeStmt(s *ast.RangeStmt) ast.Stmt {
	res := *s
	res.Body = h.o.block(s.Body)
	switch {
	case !h.o.matters(nil, s.X):
	case h.fixed:
		res.X = h.o.atOnce(s.X)
	default:
		res.X = h.expr(s.X)
	}
	if res == *s {
		return s
	}
	return &res
}

func (o *orderer) switchStmt(s *ast.SwitchStmt) ast.Stmt {
	res := *s
	if s.Init != nil {
		res.Init = o.stmt(s.Init)
	}
	if s.Tag != nil && o.matters(nil, s.Tag) {
		h := &hoist{o: o}
		res.Tag = h.expr(s.Tag)
		res.Init = h.before(res.Init, s.Pos())
	}
	clauses := make([]ast.Stmt, len(s.Body.List))
	changed := false
	for i, c := range s.Body.List {
		clauses[i] = o.clause(c.(*ast.CaseClause))
		changed = changed || clauses[i] != c
	}
	if changed {
		body := *s.Body
		body.List = clauses
		res.Body = &body
	}
	if res == *s {
		return s
	}
	return &res
}

func (o *orderer) clause(c *ast.CaseClause) ast.Stmt {
	list := make([]ast.Expr, len(c.List))
	changed := false
	for i, e := range c.List {
		list[i] = e
		if o.matters(nil, e) {
			list[i], changed = o.atOnce(e), true
		}
	}
	body := o.list(c.Body)
	if !changed && body == nil {
		return c
	}
	res := *c
	if changed { // the list of a default clause stays nil
		res.List = list
	}
	if body != nil {
		res.Body = body
	}
	return &res
}
