package irtest

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// branch is an if with or without else; what both sides computed may be joined.
func (g *generator) branch() {
	then, els, join := g.f.NewBlock(), g.f.NewBlock(), g.f.NewBlock()
	t := g.intType()
	g.b.SetIf(g.cond(), then, els, 0)
	var values []*ir.Value
	for i, b := range []*ir.Block{then, els} {
		g.b = b
		g.scoped(func() {
			if i == 0 || g.r.IntN(2) == 0 {
				g.statements()
			}
			if g.b != nil {
				values = append(values, g.val(t))
			}
		})
		if g.b != nil {
			g.b.SetJump(join)
		}
	}
	g.b = join
	switch len(values) {
	case 0:
		g.dropBlock(join)
	case 1:
	default:
		g.define(ir.OpPhi, t, values...)
	}
}

// flag joins a constant condition and branches on it: "ok" variables.
func (g *generator) flag() {
	then, els, join := g.f.NewBlock(), g.f.NewBlock(), g.f.NewBlock()
	g.b.SetIf(g.cond(), then, els, 0)
	g.b = then
	a := g.constant(ir.I8, 1)
	g.b.SetJump(join)
	g.b = els
	var b *ir.Value
	g.scoped(func() {
		if g.r.IntN(2) == 0 {
			g.arithmetic()
		}
		if b = g.constant(ir.I8, 0); g.r.IntN(3) == 0 {
			b = g.boolean()
		}
	})
	g.b.SetJump(join)
	g.b = join
	ok := g.define(ir.OpPhi, ir.I8, a, b)
	if g.r.IntN(2) == 0 {
		x := g.define(ir.OpPhi, ir.I64, g.constantIn(then, ir.I64, 5), g.constantIn(els, ir.I64, 9))
		g.moveToPhis(x)
	}
	cond := ok
	if g.r.IntN(2) == 0 {
		cond = g.emit(ir.OpXor, ir.I8, ok, g.constant(ir.I8, 1))
	}
	yes, no, end := g.f.NewBlock(), g.f.NewBlock(), g.f.NewBlock()
	g.b.SetIf(cond, yes, no, 0)
	for _, b := range []*ir.Block{yes, no} {
		g.b = b
		g.scoped(g.statements)
		if g.b != nil {
			g.b.SetJump(end)
		}
	}
	g.b = end
	if len(end.Preds) == 0 {
		g.dropBlock(end)
	}
}

// constantIn makes a constant at the end of b.
func (g *generator) constantIn(b *ir.Block, t ir.Type, n int64) *ir.Value {
	c := b.Append(ir.OpConst, t, 0)
	c.Int = n
	return c
}

// moveToPhis puts phi v behind the other phis of its block.
func (g *generator) moveToPhis(v *ir.Value) {
	b := v.Block
	b.Values = b.Values[:len(b.Values)-1]
	n := len(b.Phis())
	b.Values = append(b.Values[:n:n], append([]*ir.Value{v}, b.Values[n:]...)...)
}

// loop counts up or down, tested at its head or its end, with values that go
// from round to round.
func (g *generator) loop() {
	if len(g.loops) >= 2 {
		return
	}
	t := g.intType()
	start, step, rounds := g.r.Int64N(4)-1, 1+g.r.Int64N(3), 1+g.r.Int64N(5)
	if g.r.IntN(6) == 0 {
		start = interesting[g.r.IntN(len(interesting))]
	}
	first := g.constant(t, start)
	like := g.intType()
	carried := []*ir.Value{g.val(like), g.val(like)}
	head, body, latch, exit := g.f.NewBlock(), g.f.NewBlock(), g.f.NewBlock(), g.f.NewBlock()
	pre := g.b
	pre.SetJump(head)
	g.b = head
	i := g.emit(ir.OpPhi, t, first)
	n := g.emit(ir.OpPhi, ir.I64, g.constantIn(pre, ir.I64, 0))
	var phis []*ir.Value
	for _, c := range carried {
		phis = append(phis, g.emit(ir.OpPhi, c.Type, c))
	}
	scope, places, held := len(g.scope), len(g.places), len(g.held)
	g.scope = append(append(g.scope, i), phis...)
	g.budget -= 2
	if atEnd := g.r.IntN(3) == 0; atEnd {
		g.b.SetJump(body)
	} else {
		g.b.SetIf(g.loopTest(i, n, start, step, rounds), body, exit, 0)
	}
	g.loops = append(g.loops, &loop{head: latch, exit: exit, held: held})
	g.depth++
	g.b = body
	g.statements()
	g.depth--
	g.loops = g.loops[:len(g.loops)-1]
	if g.b != nil {
		g.release(held)
		g.b.SetJump(latch)
	}
	g.scope, g.places, g.held = g.scope[:scope], g.places[:places], g.held[:held]
	if len(latch.Preds) == 0 { // the loop never goes round
		g.dropBlock(latch)
		g.unloop(head, exit)
		return
	}
	g.endLoop(latch, head, exit, i, n, phis, scope, step)
	g.b = exit
	if len(exit.Preds) == 0 {
		g.dropBlock(exit)
	}
}

// endLoop makes the next values of the phis, and the test if the head has none.
func (g *generator) endLoop(latch, head, exit *ir.Block, i, n *ir.Value, phis []*ir.Value, scope int, step int64) {
	g.b = latch
	g.scope = append(append(g.scope, i), phis...)
	if len(latch.Preds) == 1 && g.r.IntN(2) == 0 {
		g.arithmetic()
	}
	next := g.emit(ir.OpAdd, i.Type, i, g.constant(i.Type, step))
	round := g.emit(ir.OpAdd, ir.I64, n, g.constant(ir.I64, 1))
	for k, phi := range phis {
		next := g.val(phi.Type)
		if other := phis[len(phis)-1-k]; g.r.IntN(3) == 0 && other.Type == phi.Type {
			next = other // they swap
		}
		phi.Args = append(phi.Args, next)
	}
	i.Args, n.Args = append(i.Args, next), append(n.Args, round)
	g.scope = g.scope[:scope]
	if head.Term == ir.TermIf {
		g.b.SetJump(head)
		return
	}
	c := g.emit(ir.OpULt, ir.I8, round, g.constant(ir.I64, 1+g.r.Int64N(5)))
	// The head's predecessors run in the order in which edges are made.
	g.b.SetIf(c, head, exit, 0)
}

// unloop makes the phis of a loop that has no back edge whole.
func (g *generator) unloop(_, exit *ir.Block) {
	g.b = exit
	if len(exit.Preds) == 0 {
		g.dropBlock(exit)
	}
}

// loopTest compares the counter with its bound, or the number of rounds.
func (g *generator) loopTest(i, n *ir.Value, start, step, rounds int64) *ir.Value {
	limit := ir.SignExtend(start+step*rounds, i.Type)
	switch {
	case limit < start || start < 0 && g.r.IntN(2) == 0 || g.r.IntN(4) == 0:
		return g.emit(ir.OpULt, ir.I8, n, g.constant(ir.I64, rounds))
	case g.r.IntN(3) == 0:
		return g.emit(ir.OpSLt, ir.I8, i, g.constant(i.Type, limit))
	case g.r.IntN(2) == 0: // below a bound that is not known, and after so many rounds
		few := g.emit(ir.OpULt, ir.I8, n, g.constant(ir.I64, rounds))
		return g.emit(ir.OpAnd, ir.I8, few, g.emit(ir.OpSLt, ir.I8, i, g.val(i.Type)))
	}
	return g.emit(ir.OpNe, ir.I8, i, g.constant(i.Type, limit))
}

// leave returns, faults, breaks out of a loop or continues it, on a condition.
func (g *generator) leave() {
	out, on := g.f.NewBlock(), g.f.NewBlock()
	g.b.SetIf(g.cond(), out, on, 0)
	g.b = out
	scope := len(g.scope)
	switch k := g.r.IntN(4); {
	case k == 0:
		g.fault(out)
	case k == 1 || len(g.loops) == 0:
		g.ret()
	default:
		l := g.loops[len(g.loops)-1]
		g.release(l.held)
		if k == 2 {
			g.b.SetJump(l.exit)
		} else {
			g.b.SetJump(l.head)
		}
	}
	g.scope = g.scope[:scope]
	g.b = on
}

// choosePointer makes a pointer that depends on the way.
func (g *generator) choosePointer() {
	a, b := g.place(), g.place()
	then, els, join := g.f.NewBlock(), g.f.NewBlock(), g.f.NewBlock()
	g.b.SetIf(g.cond(), then, els, 0)
	then.SetJump(join)
	els.SetJump(join)
	g.b = join
	p := g.emit(ir.OpPhi, ir.Ptr, a.p, b.p)
	both := pointer{p: p, room: min(a.room, b.room), readOnly: a.readOnly || b.readOnly}
	g.places = append(g.places, both)
	g.alias(both, a)
}

// alias accesses the same bytes in two ways.
func (g *generator) alias(a, b pointer) {
	if a.readOnly || b.readOnly || g.r.IntN(2) == 0 {
		return
	}
	t := g.intType()
	if min(a.room, b.room) < t.Size() {
		t = ir.I8
	}
	if g.r.IntN(2) == 0 {
		a, b = b, a
	}
	g.emit(ir.OpStore, ir.Void, b.p, g.val(t))
	if g.r.IntN(2) == 0 {
		g.define(ir.OpLoad, ir.I8, a.p)
	} else {
		g.emit(ir.OpStore, ir.Void, a.p, g.val(t))
	}
	if g.r.IntN(2) == 0 {
		g.emit(ir.OpStore, ir.Void, b.p, g.val(t))
	}
	g.define(ir.OpLoad, t, a.p)
	g.define(ir.OpLoad, t, b.p)
}

// storePointer keeps an address in memory and takes it out again.
func (g *generator) storePointer() {
	at := g.place()
	box := g.emit(ir.OpSlotAddr, ir.Ptr)
	box.Aux = g.f.NewSlot("box", 16, 8, 0)
	g.emit(ir.OpZero, ir.Void, box).Aux = int64(16)
	g.emit(ir.OpStore, ir.Void, box, at.p).Int = 8
	if g.r.IntN(2) == 0 {
		g.statement(6)
	}
	if g.b == nil {
		return
	}
	p := g.emit(ir.OpLoad, ir.Ptr, box)
	p.Int = 8
	out := pointer{p: p, room: at.room, readOnly: at.readOnly}
	g.places = append(g.places, out)
	g.alias(out, at)
}

// statement makes n statements without control flow.
func (g *generator) statement(n int) {
	plain := []func(*generator){(*generator).arithmetic, (*generator).load, (*generator).store, (*generator).copySlot}
	for range n {
		plain[g.r.IntN(len(plain))](g)
	}
}

// packet reads behind comparisons with the packet's end.
func (g *generator) packet() {
	if g.ctx == nil {
		return
	}
	data, end := g.emit(ir.OpCtxPtr, ir.Ptr, g.ctx), g.emit(ir.OpCtxPtr, ir.Ptr, g.ctx)
	data.Int, end.Int = DataField, EndField
	g.define(ir.OpPtrDiff, ir.I64, end, data)
	if g.r.IntN(2) == 0 {
		g.cutPacket(data, end)
		return
	}
	off := g.emit(ir.OpAnd, ir.I64, g.val(ir.I64), g.constant(ir.I64, 7))
	g.cutPacket(g.emit(ir.OpPtrAdd, ir.Ptr, data, off), end)
}

// cutPacket reads at p, twice with different comparisons.
func (g *generator) cutPacket(p, end *ir.Value) {
	then, join := g.f.NewBlock(), g.f.NewBlock()
	n := 1 + g.r.Int64N(10)
	g.b.SetIf(g.fits(p, n, end), then, join, 0)
	g.b = then
	g.scoped(func() {
		g.places = append(g.places, pointer{p: p, room: n})
		rest := g.define(ir.OpPtrDiff, ir.I64, end, p)
		g.define(ir.OpSub, ir.I64, rest, g.constant(ir.I64, g.r.Int64N(n+1))).Int = ir.Length
		g.statement(3) // nothing that might move the packet
		if m := 1 + g.r.Int64N(10); g.r.IntN(2) == 0 {
			g.check(g.fits(p, m, end))
			g.define(ir.OpLoad, ir.I8, p).Int = m - 1
		} else {
			i := g.constant(ir.I64, m)
			g.check(g.emit(ir.OpULt, ir.I8, i, rest))
			g.define(ir.OpLoad, ir.I8, p).Int = m
		}
	})
	g.b.SetJump(join)
	g.b = join
}

// fits compares n bytes at p with the end, in one of the ways there are.
func (g *generator) fits(p *ir.Value, n int64, end *ir.Value) *ir.Value {
	top := g.emit(ir.OpPtrAdd, ir.Ptr, p, g.constant(ir.I64, n))
	if g.r.IntN(3) == 0 {
		past := g.emit(ir.OpULt, ir.I8, end, top)
		return g.emit(ir.OpXor, ir.I8, past, g.constant(ir.I8, 1))
	}
	return g.emit(ir.OpULe, ir.I8, top, end)
}

// movePacket calls a helper after which pointers into the packet are dead.
func (g *generator) movePacket() {
	if g.ctx == nil || g.locked {
		return
	}
	v := g.helper("xdp_adjust_head", 44, &ir.HelperCall{InvalidatesPackets: true, Reads: [5]int64{}, Writes: [5]int64{-1}}, g.ctx, g.val(ir.I64))
	g.scope = append(g.scope, v)
}

// acquire takes a reference that is given back at the end of its scope.
func (g *generator) acquire() {
	if g.locked {
		return
	}
	g.use(g.reserve())
}

// acquireSometimes takes a reference on one way only; whether it is there shows
// behind what may fault.
func (g *generator) acquireSometimes() {
	if g.locked {
		return
	}
	take, found, join := g.f.NewBlock(), g.f.NewBlock(), g.f.NewBlock()
	null := g.constant(ir.Ptr, 0)
	g.b.SetIf(g.cond(), take, join, 0)
	g.b = take
	rec := g.reserve()
	g.b.SetIf(g.emit(ir.OpNe, ir.I8, rec, null), found, join, 0)
	found.SetJump(join)
	g.b = join
	p := g.emit(ir.OpPhi, ir.Ptr, null, []*ir.Value{null, rec}[g.r.IntN(2)], rec)
	g.indexed()
	g.use(p)
}

func (g *generator) reserve() *ir.Value {
	m := g.emit(ir.OpMapAddr, ir.Ptr)
	m.Aux = g.m.Maps[1]
	h := &ir.HelperCall{Acquires: true, ReleaseHelper: 133}
	return g.helper("ringbuf_reserve", 131, h, m, g.constant(ir.I64, 64), g.constant(ir.I64, 0))
}

// use does something with a record if there is one.
func (g *generator) use(rec *ir.Value) {
	g.ifFound(rec, func() {
		g.places = append(g.places, pointer{p: rec, room: 64})
		g.held = append(g.held, rec)
		g.statements()
	})
}

// lock does something with a lock held.
func (g *generator) lock() {
	if g.locked {
		return
	}
	p := g.emit(ir.OpGlobalAddr, ir.Ptr)
	p.Aux = g.m.Globals[0]
	g.helper("spin_lock", 93, &ir.HelperCall{Lock: 1}, p)
	g.locked = true
	g.statement(4)
	if g.r.IntN(2) == 0 {
		g.indexed()
	}
	g.locked = false
	g.helper("spin_unlock", 94, &ir.HelperCall{Lock: -1}, p)
}

func (g *generator) tailCall() {
	if g.ctx == nil || g.locked || len(g.held) > 0 {
		return
	}
	m := g.emit(ir.OpMapAddr, ir.Ptr)
	m.Aux = g.m.Maps[0]
	g.emit(ir.OpTailCall, ir.Void, g.ctx, m, g.val(ir.I32))
}
