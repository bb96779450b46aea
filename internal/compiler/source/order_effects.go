package source

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// matters reports whether the order of evaluation of a statement's expressions
// can be seen: something that may change, or fault, stands left of a call that
// writes. Places are what is assigned to, besides plain variables.
func (o *orderer) matters(places []ast.Expr, values ...ast.Expr) bool {
	s := scan{o: o}
	for _, e := range places {
		s.expr(e)
	}
	for _, e := range values {
		s.expr(e)
	}
	return s.conflict
}

// scan walks expressions in the order of their evaluation.
type scan struct {
	o *orderer
	// pending counts what has been passed and is read after the calls that
	// follow.
	pending  int
	conflict bool
}

func (s *scan) expr(e ast.Expr) {
	if e == nil {
		return
	}
	e = ast.Unparen(e)
	info := s.o.info
	if tv := info.Types[e]; tv.Value != nil || tv.IsType() {
		return
	}
	switch e := e.(type) {
	case *ast.Ident:
		if v, ok := info.Uses[e].(*types.Var); ok && (isGlobal(v) || s.o.shared[v]) {
			s.pending++
		}
	case *ast.SelectorExpr:
		s.selector(e)
	case *ast.StarExpr:
		s.expr(e.X)
		s.pending++
	case *ast.UnaryExpr:
		s.expr(e.X)
	case *ast.BinaryExpr:
		s.binary(e)
	case *ast.IndexExpr:
		if !info.Types[e.Index].IsType() {
			s.expr(e.X)
			s.expr(e.Index)
			s.pending++
		}
	case *ast.SliceExpr:
		at := s.pending
		s.expr(e.X)
		s.expr(e.Low)
		s.expr(e.High)
		s.expr(e.Max)
		s.pending = at
	case *ast.CompositeLit:
		for _, elt := range e.Elts {
			if kv, ok := elt.(*ast.KeyValueExpr); ok {
				elt = kv.Value
			}
			s.expr(elt)
		}
	case *ast.CallExpr:
		s.call(e)
	}
}

func (s *scan) selector(e *ast.SelectorExpr) {
	sel := s.o.info.Selections[e]
	if sel == nil { // of a package
		if _, ok := s.o.info.Uses[e.Sel].(*types.Var); ok {
			s.pending++
		}
		return
	}
	s.expr(e.X)
	if sel.Indirect() {
		s.pending++
	}
}

func (s *scan) binary(e *ast.BinaryExpr) {
	at := s.pending
	s.expr(e.X)
	if e.Op == token.LAND || e.Op == token.LOR {
		s.pending = at
		s.expr(e.Y)
		s.pending = at
		return
	}
	s.expr(e.Y)
	if mayFault[e.Op] && s.o.info.Types[e.Y].Value == nil {
		s.pending++
	}
}

// mayFault has the operators that some right operands make fault.
var mayFault = map[token.Token]bool{token.QUO: true, token.REM: true, token.SHL: true, token.SHR: true}

func (s *scan) call(e *ast.CallExpr) {
	at := s.pending
	switch fun := ast.Unparen(e.Fun).(type) {
	case *ast.SelectorExpr:
		s.expr(fun)
	case *ast.FuncLit:
	default:
		s.expr(fun)
	}
	for _, arg := range e.Args {
		s.expr(arg)
	}
	if s.o.isConversion(e) {
		if _, array := s.o.info.TypeOf(e).Underlying().(*types.Array); array {
			s.pending++
		}
		return
	}
	if at > 0 && s.o.effects.call(e) {
		s.conflict = true
	}
	s.pending = at
}

func isGlobal(v *types.Var) bool { return v.Pkg() != nil && v.Parent() == v.Pkg().Scope() }

// sharedVars returns the local variables that a call may change: those of which
// the address is taken, and those that a function literal sees from outside.
func (o *orderer) sharedVars(fn *ast.FuncDecl) map[*types.Var]bool {
	shared := make(map[*types.Var]bool)
	root := func(e ast.Expr) {
		if v := o.rootVar(e); v != nil {
			shared[v] = true
		}
	}
	ast.PreorderStack(fn, nil, func(n ast.Node, stack []ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if v, ok := o.info.Uses[n].(*types.Var); ok && isOutside(v, stack) {
				shared[v] = true
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				root(n.X)
			}
		case *ast.SliceExpr:
			root(n.X)
		case *ast.SelectorExpr:
			if sel := o.info.Selections[n]; sel != nil && sel.Kind() == types.MethodVal {
				root(n.X)
			}
		}
		return true
	})
	return shared
}

// isOutside reports whether a variable is declared outside the innermost function
// literal.
func isOutside(v *types.Var, stack []ast.Node) bool {
	for i := len(stack) - 1; i >= 0; i-- {
		if lit, ok := stack[i].(*ast.FuncLit); ok {
			return v.Pos() < lit.Pos() || lit.End() <= v.Pos()
		}
	}
	return false
}

// rootVar returns the variable that holds what e names; nil if e is reached through
// an address.
func (o *orderer) rootVar(e ast.Expr) *types.Var {
	for {
		switch x := ast.Unparen(e).(type) {
		case *ast.Ident:
			v, _ := o.info.ObjectOf(x).(*types.Var)
			return v
		case *ast.SelectorExpr:
			sel := o.info.Selections[x]
			if sel == nil || sel.Indirect() && sel.Kind() == types.FieldVal {
				return nil
			}
			e = x.X
		case *ast.IndexExpr:
			if _, array := o.info.TypeOf(x.X).Underlying().(*types.Array); !array {
				return nil
			}
			e = x.X
		default:
			return nil
		}
	}
}

// effects tells which functions write to more than their own variables.
type effects struct {
	o      *orderer
	where  map[types.Object]site
	lower  map[*types.Func]*Lowering
	writes map[*types.Func]bool // as far as it is known; true while it is looked for
}

// writing has the intrinsics that change memory.
var writing = map[string]bool{"binary.store": true, "log": true}

// call reports whether a call may change what its caller reads, or what is left
// behind when the program ends.
func (f *effects) call(e *ast.CallExpr) bool {
	info := f.o.info
	fun := ast.Unparen(e.Fun)
	switch x := fun.(type) {
	case *ast.IndexExpr:
		fun = ast.Unparen(x.X)
	case *ast.IndexListExpr:
		fun = ast.Unparen(x.X)
	}
	var id *ast.Ident
	switch x := fun.(type) {
	case *ast.Ident:
		id = x
	case *ast.SelectorExpr:
		id = x.Sel
	default:
		return true
	}
	switch obj := info.Uses[id].(type) {
	case *types.Builtin:
		return obj.Name() == "copy" || obj.Name() == "clear"
	case *types.Func:
		return f.function(obj.Origin())
	}
	return true
}

func (f *effects) function(fn *types.Func) bool {
	if w, ok := f.writes[fn]; ok {
		return w
	}
	f.writes[fn] = true
	f.writes[fn] = f.look(fn)
	return f.writes[fn]
}

func (f *effects) look(fn *types.Func) bool {
	if low := f.lower[fn]; low != nil {
		if h := abi.HelperByName(low.Helper); h != nil {
			return !h.Pure
		}
		return writing[low.Intrinsic] || strings.HasPrefix(low.Intrinsic, "atomic.") && low.Intrinsic != "atomic.load"
	}
	decl, ok := f.where[fn].node.(*ast.FuncDecl)
	if !ok || decl.Body == nil {
		return true
	}
	found := false
	ast.Inspect(decl.Body, func(n ast.Node) bool {
		found = found || f.node(n)
		return !found
	})
	return found
}

// node reports whether one node of a function writes elsewhere.
func (f *effects) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for _, l := range n.Lhs {
			if !f.isLocal(l) {
				return true
			}
		}
	case *ast.IncDecStmt:
		return !f.isLocal(n.X)
	case *ast.RangeStmt:
		_, function := f.o.info.TypeOf(n.X).Underlying().(*types.Signature)
		return function || n.Key != nil && !f.isLocal(n.Key) || n.Value != nil && !f.isLocal(n.Value)
	case *ast.GoStmt, *ast.DeferStmt, *ast.SendStmt:
		return true
	case *ast.CallExpr:
		return !f.o.isConversion(n) && f.call(n)
	}
	return false
}

func (f *effects) isLocal(e ast.Expr) bool {
	if id, ok := e.(*ast.Ident); ok && id.Name == "_" {
		return true
	}
	v := f.o.rootVar(e)
	return v != nil && !isGlobal(v)
}
