package source

import (
	"go/ast"
	"go/token"
	"go/types"
)

// hoist is a statement being rewritten: out is what goes in front.
type hoist struct {
	o     *orderer
	out   []ast.Stmt
	fixed bool // nothing can go in front
}

// around returns the statement with what goes in front of it.
func (h *hoist) around(s ast.Stmt) ast.Stmt {
	if len(h.out) == 0 {
		return s
	}
	return &ast.BlockStmt{Lbrace: s.Pos(), List: append(h.out, s), Rbrace: s.End()}
}

// before returns what goes in front together with a statement before that.
func (h *hoist) before(init ast.Stmt, pos token.Pos) ast.Stmt {
	if init != nil {
		h.out = append([]ast.Stmt{init}, h.out...)
	}
	return &ast.BlockStmt{Lbrace: pos, List: h.out, Rbrace: pos}
}

// expr returns an expression without calls and with the same value after what has
// been put in front. It does as cmd/compile's orderState.expr1 does.
func (h *hoist) expr(e ast.Expr) ast.Expr {
	e = ast.Unparen(e)
	tv := h.o.info.Types[e]
	if tv.Value != nil || tv.IsType() {
		return e
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		if e.Op == token.LAND || e.Op == token.LOR {
			return h.logical(e)
		}
	case *ast.SliceExpr:
		return h.temp(h.sliceExpr(e))
	case *ast.CallExpr:
		if h.o.isConversion(e) {
			break
		}
		return h.temp(h.call(e))
	}
	return h.operands(e)
}

// place is expr for what is assigned to.
func (h *hoist) place(e ast.Expr) ast.Expr {
	if _, plain := ast.Unparen(e).(*ast.Ident); plain {
		return e
	}
	return h.expr(e)
}

func (h *hoist) exprs(list []ast.Expr) []ast.Expr {
	res := make([]ast.Expr, len(list))
	for i, e := range list {
		res[i] = h.expr(e)
	}
	return res
}

func (h *hoist) places(list []ast.Expr) []ast.Expr {
	res := make([]ast.Expr, len(list))
	for i, e := range list {
		res[i] = h.place(e)
	}
	return res
}

// operands copies an expression with its operands rewritten.
func (h *hoist) operands(e ast.Expr) ast.Expr {
	c := &copier{info: h.o.info}
	c.replace = func(x ast.Expr) ast.Expr {
		if x == e {
			return nil
		}
		return h.expr(x)
	}
	return c.expr(e)
}

// values is exprs for a list that may be one call with several results.
func (h *hoist) values(list []ast.Expr) []ast.Expr {
	if len(list) != 1 {
		return h.exprs(list)
	}
	e := ast.Unparen(list[0])
	tuple, ok := h.o.info.TypeOf(e).(*types.Tuple)
	if !ok {
		return h.exprs(list)
	}
	call := h.call(e.(*ast.CallExpr))
	def := &ast.AssignStmt{TokPos: e.Pos(), Tok: token.DEFINE, Rhs: []ast.Expr{call}}
	var uses []ast.Expr
	for v := range tuple.Variables() {
		id, use := h.o.variable(e, v.Type())
		def.Lhs, uses = append(def.Lhs, id), append(uses, use())
	}
	h.out = append(h.out, def)
	return uses
}

// call rewrites what a call calls and its arguments.
func (h *hoist) call(e *ast.CallExpr) ast.Expr {
	res := *e
	switch fun := ast.Unparen(e.Fun).(type) {
	case *ast.SelectorExpr:
		if h.o.info.Selections[fun] != nil {
			res.Fun = h.operands(fun)
		}
	case *ast.Ident, *ast.IndexExpr, *ast.IndexListExpr, *ast.FuncLit:
	default:
		res.Fun = h.expr(fun)
	}
	res.Args = h.values(e.Args)
	h.o.info.Types[&res] = h.o.info.Types[e]
	return &res
}

// sliceExpr rewrites the operands of a slice expression. Bounds that are more than
// a variable are read before what comes next.
func (h *hoist) sliceExpr(e *ast.SliceExpr) ast.Expr {
	res := *e
	res.X = h.expr(e.X)
	for _, bound := range []*ast.Expr{&res.Low, &res.High, &res.Max} {
		if *bound == nil {
			continue
		}
		x := h.expr(*bound)
		if _, plain := x.(*ast.Ident); !plain && h.o.info.Types[x].Value == nil {
			x = h.temp(x)
		}
		*bound = x
	}
	h.o.info.Types[&res] = h.o.info.Types[e]
	return &res
}

// logical evaluates x && y or x || y here, y only if it must be:
//
//	r := x; if r { r = y }
func (h *hoist) logical(e *ast.BinaryExpr) ast.Expr {
	id, use := h.o.variable(e, h.o.info.TypeOf(e))
	h.out = append(h.out, &ast.AssignStmt{
		Lhs: []ast.Expr{id}, TokPos: e.Pos(), Tok: token.DEFINE, Rhs: []ast.Expr{h.expr(e.X)},
	})
	second := &hoist{o: h.o}
	y := second.expr(e.Y)
	body := append(second.out, &ast.AssignStmt{
		Lhs: []ast.Expr{use()}, TokPos: e.OpPos, Tok: token.ASSIGN, Rhs: []ast.Expr{y},
	})
	cond := use()
	if e.Op == token.LOR {
		cond = h.o.not(cond)
	}
	h.out = append(h.out, &ast.IfStmt{If: e.OpPos, Cond: cond, Body: &ast.BlockStmt{List: body}})
	return use()
}

// temp puts an expression in front and returns the variable with its value.
func (h *hoist) temp(e ast.Expr) ast.Expr {
	id, use := h.o.variable(e, h.o.info.TypeOf(e))
	h.out = append(h.out, &ast.AssignStmt{
		Lhs: []ast.Expr{id}, TokPos: e.Pos(), Tok: token.DEFINE, Rhs: []ast.Expr{e},
	})
	return use()
}

// variable makes a variable for the value of e: the identifier that declares it
// and, as often as they are wanted, those that use it.
func (o *orderer) variable(e ast.Expr, t types.Type) (def *ast.Ident, use func() ast.Expr) {
	v := types.NewVar(e.Pos(), o.pkg, "value", types.Default(t))
	tv := o.info.Types[e]
	tv.Type, tv.Value = v.Type(), nil
	ident := func() *ast.Ident { return &ast.Ident{NamePos: e.Pos(), Name: v.Name()} }
	def = ident()
	o.info.Defs[def] = v
	return def, func() ast.Expr {
		id := ident()
		o.info.Uses[id], o.info.Types[id] = v, tv
		return id
	}
}

func (o *orderer) not(e ast.Expr) ast.Expr {
	not := &ast.UnaryExpr{OpPos: e.Pos(), Op: token.NOT, X: e}
	o.info.Types[not] = o.info.Types[e]
	return not
}

func (o *orderer) isConversion(call *ast.CallExpr) bool { return o.info.Types[call.Fun].IsType() }

// atOnce returns expressions as the results of a call, which can stand where no
// statement can go in front: func() T { ...; return e }().
func (o *orderer) atOnce(list ...ast.Expr) ast.Expr {
	h := &hoist{o: o}
	pos := list[0].Pos()
	ret := &ast.ReturnStmt{Return: pos, Results: h.values(list)}
	vars := make([]*types.Var, len(ret.Results))
	fields := make([]*ast.Field, len(vars)) // counted, not looked at
	for i, e := range ret.Results {
		fields[i] = new(ast.Field)
		vars[i] = types.NewParam(e.Pos(), o.pkg, "", types.Default(o.info.TypeOf(e)))
	}
	results := types.NewTuple(vars...)
	lit := &ast.FuncLit{
		Type: &ast.FuncType{Func: pos, Params: &ast.FieldList{}, Results: &ast.FieldList{List: fields}},
		Body: &ast.BlockStmt{Lbrace: pos, List: append(h.out, ret), Rbrace: list[len(list)-1].End()},
	}
	call := &ast.CallExpr{Fun: lit, Lparen: pos, Rparen: pos}
	tv := o.info.Types[ast.Unparen(list[0])]
	tv.Type = types.NewSignatureType(nil, nil, nil, nil, results, false)
	o.info.Types[lit], o.info.Types[lit.Type] = tv, tv
	if tv.Type = results; len(vars) == 1 {
		tv.Type = vars[0].Type()
	}
	o.info.Types[call] = tv
	return call
}
