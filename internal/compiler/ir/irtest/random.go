// Package irtest makes random IR and compares what two modules do, for the tests
// of passes. The programs it makes do all that lowered Go does: checked accesses,
// loops, calls, pointers that depend on the way, references that must be given
// back.
package irtest

import (
	"fmt"
	"math/rand/v2"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// Fields of the context that hold pointers to the packet and behind it, and its
// size.
const (
	DataField   = 0
	EndField    = 4
	ContextSize = 96
)

// Random makes a module of one program and some subprograms from a seed.
func Random(seed uint64) *ir.Module {
	r := rand.New(rand.NewPCG(seed, 1))
	m := &ir.Module{
		Maps: []*ir.Map{
			{Name: "M", KeySize: 4, ValueSize: 32, MaxEntries: 8},
			{Name: "R", MaxEntries: 4096},
		},
		Globals: []*ir.Global{
			{Name: "G", Size: 48, Align: 8, Section: ir.Data},
			{Name: "C", Size: 16, Align: 8, Section: ir.Rodata, Init: []byte("\x01\x80\x00\xff\x7f\x03\x02\x10\x00\x00\x00\x00\x05\x06\x07\x08")},
		},
	}
	g := &generator{r: r, m: m}
	prog := m.NewFunc("Prog", 0)
	prog.Prog = &ir.Program{Verdict: 77}
	for i := range r.IntN(3) {
		g.subprogram(i)
	}
	g.start(prog, []ir.Type{ir.Ptr}, []ir.Type{ir.I32})
	g.ctx = prog.Params[0]
	g.body(20 + r.IntN(60))
	return m
}

// generator builds one function after the other.
type generator struct {
	r *rand.Rand
	m *ir.Module

	f      *ir.Func
	b      *ir.Block // where the next value goes; nil if the way ends
	ctx    *ir.Value // nil in a subprogram
	scope  []*ir.Value
	places []pointer // memory that may be accessed here
	held   []*ir.Value
	loops  []*loop
	subs   []*ir.Func
	budget int
	depth  int
	locked bool
}

// pointer is an address with room bytes behind it.
type pointer struct {
	p        *ir.Value
	room     int64
	readOnly bool
	// whole: all of an object on the stack, so that copies fit.
	whole bool
}

type loop struct {
	head, exit *ir.Block
	held       int
}

func (g *generator) subprogram(i int) {
	f := g.m.NewFunc(fmt.Sprint("sub", i), 0)
	f.NoInline = g.r.IntN(2) == 0
	params := []ir.Type{g.intType()}
	for range g.r.IntN(3) {
		params = append(params, g.intType())
	}
	if g.r.IntN(2) == 0 {
		params = append(params, ir.Ptr) // to 8 bytes
	}
	results := make([]ir.Type, g.r.IntN(3))
	for k := range results {
		results[k] = g.intType()
	}
	g.start(f, params, results)
	g.ctx = nil
	for _, p := range f.Params {
		if p.Type == ir.Ptr {
			g.places = append(g.places, pointer{p: p, room: 8})
		}
	}
	g.body(5 + g.r.IntN(20))
	g.subs = append(g.subs, f)
}

func (g *generator) start(f *ir.Func, params, results []ir.Type) {
	g.f, g.b = f, f.NewBlock()
	g.scope, g.places, g.held, g.loops, g.depth = nil, nil, nil, nil, 0
	f.Results = results
	for i, t := range params {
		p := g.b.Append(ir.OpParam, t, 0)
		p.Int = int64(i)
		f.Params = append(f.Params, p)
		if t != ir.Ptr {
			g.scope = append(g.scope, p)
		}
	}
	for _, x := range g.m.Globals {
		a := g.emit(ir.OpGlobalAddr, ir.Ptr)
		a.Aux = x
		g.places = append(g.places, pointer{p: a, room: x.Size, readOnly: x.Section == ir.Rodata})
	}
	g.newSlot()
}

// body fills the function with about n statements and a return.
func (g *generator) body(n int) {
	g.budget = n
	g.statements()
	g.ret()
}

// ret returns results that depend on many values, so that a wrong one shows.
func (g *generator) ret() {
	if g.b == nil {
		return
	}
	if !g.locked && g.r.IntN(2) == 0 {
		h := &ir.HelperCall{Reads: [5]int64{-1, -1, -1}}
		g.helper("show", 8, h, g.place().p, g.place().p, g.place().p)
	}
	g.release(0)
	var rets []*ir.Value
	for _, t := range g.f.Results {
		rets = append(rets, g.digest(t))
	}
	g.b.SetRet(0, rets...)
	g.b = nil
}

// digest mixes some of the values in scope.
func (g *generator) digest(t ir.Type) *ir.Value {
	acc := g.val(ir.I64)
	for range g.r.IntN(6) {
		if len(g.scope) == 0 {
			break
		}
		v := g.resize(g.scope[g.r.IntN(len(g.scope))], ir.I64)
		acc = g.emit(ir.OpMul, ir.I64, acc, g.constant(ir.I64, 31))
		acc = g.emit(ir.OpXor, ir.I64, acc, v)
	}
	return g.resize(acc, t)
}

// release gives back what was acquired since there were n references.
func (g *generator) release(n int) {
	for i := len(g.held) - 1; i >= n; i-- {
		g.submit(g.held[i])
	}
}

func (g *generator) submit(rec *ir.Value) {
	g.helper("ringbuf_submit", 132, &ir.HelperCall{Releases: 1, Reads: [5]int64{-1}}, rec, g.constant(ir.I64, 0))
}

func (g *generator) emit(op ir.Op, t ir.Type, args ...*ir.Value) *ir.Value {
	return g.b.Append(op, t, 0, args...)
}

func (g *generator) constant(t ir.Type, n int64) *ir.Value {
	c := g.emit(ir.OpConst, t)
	c.Int = ir.SignExtend(n, t)
	return c
}

func (g *generator) intType() ir.Type { return ir.I8 + ir.Type(g.r.IntN(4)) }

// define makes a value and lets later ones use it.
func (g *generator) define(op ir.Op, t ir.Type, args ...*ir.Value) *ir.Value {
	v := g.emit(op, t, args...)
	g.scope = append(g.scope, v)
	return v
}

var interesting = []int64{
	0, 0, 0, 1, 1, 2, 3, 4, 5, 7, 8, 10, 15, 16, 31, 32, 63, 64, 100, 126, 127, 128, 129, 200, 254, 255, 256,
	1000, 32767, 32768, 65535, 65536, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<62 + 1, 1<<63 - 1,
}

// val returns a value of type t: one from before, often a recent one, or a
// constant.
func (g *generator) val(t ir.Type) *ir.Value {
	for range 6 {
		if len(g.scope) == 0 || g.r.IntN(5) == 0 {
			break
		}
		k := len(g.scope) - 1
		if g.r.IntN(2) == 0 {
			k -= g.r.IntN(min(6, len(g.scope)))
		} else {
			k = g.r.IntN(len(g.scope))
		}
		if v := g.scope[k]; v.Type == t {
			return v
		}
	}
	if len(g.scope) > 0 && g.r.IntN(2) == 0 {
		return g.resize(g.scope[g.r.IntN(len(g.scope))], t)
	}
	n := interesting[g.r.IntN(len(interesting))]
	if g.r.IntN(3) == 0 {
		n = -n
	}
	return g.constant(t, n)
}

func (g *generator) resize(v *ir.Value, t ir.Type) *ir.Value {
	switch {
	case v.Type == t:
		return v
	case v.Type.Size() > t.Size():
		return g.define(ir.OpTrunc, t, v)
	case g.r.IntN(2) == 0:
		return g.define(ir.OpSext, t, v)
	}
	return g.define(ir.OpZext, t, v)
}

// cond returns something to branch on.
func (g *generator) cond() *ir.Value {
	switch g.r.IntN(10) {
	case 0:
		return g.boolean()
	case 1:
		return g.val(ir.I8)
	}
	t := g.intType()
	ops := []ir.Op{ir.OpEq, ir.OpNe, ir.OpULt, ir.OpULe, ir.OpSLt, ir.OpSLe}
	return g.emit(ops[g.r.IntN(len(ops))], ir.I8, g.val(t), g.val(t))
}

// boolean returns a value that is 0 or 1.
func (g *generator) boolean() *ir.Value {
	return g.emit(ir.OpAnd, ir.I8, g.val(ir.I8), g.constant(ir.I8, 1))
}

// check goes on where cond holds and faults elsewhere.
func (g *generator) check(cond *ir.Value) {
	ok, bad := g.f.NewBlock(), g.f.NewBlock()
	g.b.SetIf(cond, ok, bad, 0)
	g.b.Likely = 1
	g.fault(bad)
	g.b = ok
}

func (g *generator) fault(b *ir.Block) {
	n := len(g.m.Faults)
	g.m.Faults = append(g.m.Faults, ir.FaultSite{Kind: ir.FaultKind(n % 3), Pos: tokenPos(n + 1)})
	b.Term, b.Fault = ir.TermFault, int64(n)
}

// scoped runs fill, whose values are not seen behind it.
func (g *generator) scoped(fill func()) {
	scope, places, held := len(g.scope), len(g.places), len(g.held)
	g.depth++
	fill()
	g.depth--
	if g.b != nil {
		g.release(held)
	}
	g.scope, g.places, g.held = g.scope[:scope], g.places[:places], g.held[:held]
}
