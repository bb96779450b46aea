package irtest

import (
	"go/token"
	"math/bits"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

func tokenPos(n int) token.Pos { return token.Pos(n) }

// statement is one kind of thing that a program does, and how often.
type statement struct {
	weight int
	make   func(g *generator)
}

func statements() []statement {
	return []statement{
		{12, (*generator).arithmetic},
		{3, (*generator).shift},
		{3, (*generator).divide},
		{4, (*generator).convert},
		{2, (*generator).swap},
		{9, (*generator).load},
		{9, (*generator).store},
		{4, (*generator).indexed},
		{2, (*generator).newSlot},
		{2, (*generator).clear},
		{2, (*generator).copySlot},
		{3, (*generator).copyValue},
		{2, (*generator).lookup},
		{3, (*generator).call},
		{3, (*generator).anyHelper},
		{2, (*generator).atomic},
		{3, (*generator).packet},
		{1, (*generator).movePacket},
		{7, (*generator).branch},
		{3, (*generator).flag},
		{5, (*generator).loop},
		{3, (*generator).choosePointer},
		{3, (*generator).storePointer},
		{2, (*generator).acquire},
		{1, (*generator).acquireSometimes},
		{1, (*generator).lock},
		{1, (*generator).leave},
		{1, (*generator).tailCall},
	}
}

// statements fills the current block and what follows it, until the budget is
// spent.
func (g *generator) statements() {
	list, sum := statements(), 0
	for _, s := range list {
		sum += s.weight
	}
	n := 1 + g.r.IntN(10)
	if g.depth == 0 {
		n = g.budget
	}
	for ; n > 0 && g.budget > 0 && g.b != nil; n-- {
		g.budget--
		k := g.r.IntN(sum)
		for _, s := range list {
			if k -= s.weight; k < 0 {
				s.make(g)
				break
			}
		}
	}
}

func (g *generator) arithmetic() {
	ops := []ir.Op{ir.OpAdd, ir.OpAdd, ir.OpSub, ir.OpMul, ir.OpAnd, ir.OpOr, ir.OpXor, ir.OpNeg, ir.OpEq, ir.OpULt, ir.OpSLe}
	t := g.intType()
	switch op := ops[g.r.IntN(len(ops))]; {
	case op == ir.OpNeg:
		g.define(op, t, g.val(t))
	case op.IsCompare():
		g.define(op, ir.I8, g.val(t), g.val(t))
	default:
		g.define(op, t, g.val(t), g.val(t))
	}
}

func (g *generator) shift() {
	t := g.intType()
	ops := []ir.Op{ir.OpShl, ir.OpLShr, ir.OpAShr}
	n := g.constant(t, g.r.Int64N(t.Bits()))
	if g.r.IntN(2) == 0 {
		n = g.emit(ir.OpAnd, t, g.val(t), g.constant(t, t.Bits()-1))
	}
	g.define(ops[g.r.IntN(len(ops))], t, g.val(t), n)
}

func (g *generator) divide() {
	t := g.intType()
	ops := []ir.Op{ir.OpUDiv, ir.OpUMod, ir.OpSDiv, ir.OpSMod}
	y := g.val(t)
	if g.r.IntN(2) == 0 {
		y = g.emit(ir.OpOr, t, y, g.constant(t, 1))
	} else if y.Op != ir.OpConst || y.Int == 0 {
		g.check(g.emit(ir.OpNe, ir.I8, y, g.constant(t, 0)))
	}
	g.define(ops[g.r.IntN(len(ops))], t, g.val(t), y)
}

func (g *generator) convert() {
	if len(g.scope) > 0 {
		g.resize(g.scope[g.r.IntN(len(g.scope))], g.intType())
	}
}

func (g *generator) swap() {
	t := ir.I16 + ir.Type(g.r.IntN(3))
	g.define(ir.OpBswap, t, g.val(t)).Int = t.Bits()
}

// place picks memory, often some that was made lately.
func (g *generator) place() pointer {
	n := len(g.places)
	if g.r.IntN(3) != 0 {
		return g.places[n-1-g.r.IntN(min(4, n))]
	}
	return g.places[g.r.IntN(n)]
}

// spot picks a place for an access of n bytes, mostly an aligned one.
func (g *generator) spot(n int64, write bool) (p *ir.Value, off int64, ok bool) {
	at := g.place()
	if at.room < n || write && at.readOnly {
		return nil, 0, false
	}
	off = g.r.Int64N(at.room - n + 1)
	if g.r.IntN(4) != 0 {
		off &^= n - 1
	}
	if g.r.IntN(3) == 0 { // the offset as arithmetic of its own
		return g.emit(ir.OpPtrAdd, ir.Ptr, at.p, g.constant(ir.I64, off)), 0, true
	}
	return at.p, off, true
}

func (g *generator) load() {
	t := g.intType()
	if g.ctx != nil && g.r.IntN(6) == 0 {
		g.define(ir.OpLoad, ir.I32, g.ctx).Int = 8 + 4*g.r.Int64N(ContextSize/4-2)
		return
	}
	if p, off, ok := g.spot(t.Size(), false); ok {
		g.define(ir.OpLoad, t, p).Int = off
	}
}

func (g *generator) store() {
	t := g.intType()
	if p, off, ok := g.spot(t.Size(), true); ok {
		g.emit(ir.OpStore, ir.Void, p, g.val(t)).Int = off
	}
}

// indexed accesses an element whose index is only known at run time.
func (g *generator) indexed() {
	t := g.intType()
	at := g.place()
	n := at.room / t.Size()
	if n == 0 {
		return
	}
	i := g.val(ir.I64)
	if pow := int64(1) << (bits.Len64(uint64(n)) - 1); g.r.IntN(3) != 0 {
		i = g.emit(ir.OpAnd, ir.I64, i, g.constant(ir.I64, pow-1))
	}
	g.check(g.emit(ir.OpULt, ir.I8, i, g.constant(ir.I64, n)))
	if t != ir.I8 {
		i = g.emit(ir.OpMul, ir.I64, i, g.constant(ir.I64, t.Size()))
	}
	p := g.emit(ir.OpPtrAdd, ir.Ptr, at.p, i)
	if at.readOnly || g.r.IntN(2) == 0 {
		g.define(ir.OpLoad, t, p)
	} else {
		g.emit(ir.OpStore, ir.Void, p, g.val(t))
	}
}

// newSlot makes a variable, cleared as Go's are.
func (g *generator) newSlot() {
	sizes := []int64{1, 2, 4, 6, 8, 8, 12, 16, 16, 24, 40}
	n := sizes[g.r.IntN(len(sizes))]
	s := g.f.NewSlot("x", n, min(8, n&-n), 0)
	p := g.emit(ir.OpSlotAddr, ir.Ptr)
	p.Aux = s
	g.emit(ir.OpZero, ir.Void, p).Aux = n
	g.places = append(g.places, pointer{p: p, room: n, whole: true})
}

// clear clears a part of a variable.
func (g *generator) clear() {
	at := g.place()
	if at.readOnly {
		return
	}
	from := g.r.Int64N(at.room)
	z := g.emit(ir.OpZero, ir.Void, at.p)
	z.Int, z.Aux = from, 1+g.r.Int64N(at.room-from)
}

// copySlot copies between two variables, often as a whole.
func (g *generator) copySlot() {
	src := g.place()
	dst := g.place()
	if src.p == dst.p || !dst.whole || !src.whole && src.p.Op != ir.OpGlobalAddr {
		return
	}
	m := g.emit(ir.OpMove, ir.Void, dst.p, src.p)
	m.Int = min(src.room, dst.room)
	if g.r.IntN(4) == 0 {
		m.Int = 1 + g.r.Int64N(m.Int)
	}
}

// copyValue copies a variable to a new one, as Go does for arguments, and accesses
// both at places that are only known at run time.
func (g *generator) copyValue() {
	src := g.place()
	if !src.whole {
		return
	}
	if g.r.IntN(2) == 0 {
		g.element(src)
	}
	s := g.f.NewSlot("copy", src.room, 8, 0)
	dst := pointer{p: g.emit(ir.OpSlotAddr, ir.Ptr), room: src.room, whole: true}
	dst.p.Aux = s
	if g.r.IntN(2) == 0 {
		g.emit(ir.OpZero, ir.Void, dst.p).Aux = src.room
	}
	g.emit(ir.OpMove, ir.Void, dst.p, src.p).Int = src.room
	g.places = append(g.places, dst)
	for range g.r.IntN(3) {
		g.element([]pointer{src, dst}[g.r.IntN(2)])
	}
	g.element(dst)
}

// element loads or stores a byte at an index below the room of a place.
func (g *generator) element(at pointer) {
	pow := int64(1) << (bits.Len64(uint64(at.room)) - 1)
	i := g.emit(ir.OpAnd, ir.I64, g.val(ir.I64), g.constant(ir.I64, pow-1))
	p := g.emit(ir.OpPtrAdd, ir.Ptr, at.p, i)
	if g.r.IntN(2) == 0 {
		g.emit(ir.OpStore, ir.Void, p, g.val(ir.I8))
	} else {
		g.define(ir.OpLoad, ir.I8, p)
	}
}

// helper emits a call.
func (g *generator) helper(name string, id int64, h *ir.HelperCall, args ...*ir.Value) *ir.Value {
	h.Name = name
	t := ir.I64
	if h.Acquires || name == "map_lookup_elem" {
		t = ir.Ptr
	}
	v := g.emit(ir.OpHelper, t, args...)
	v.Int, v.Aux = id, h
	return v
}

// lookup finds a map's value, whose memory is there only behind a check.
func (g *generator) lookup() {
	if g.locked {
		return
	}
	key := g.emit(ir.OpSlotAddr, ir.Ptr)
	key.Aux = g.f.NewSlot("key", 4, 8, 0)
	g.emit(ir.OpStore, ir.Void, key, g.emit(ir.OpAnd, ir.I32, g.val(ir.I32), g.constant(ir.I32, 3)))
	m := g.emit(ir.OpMapAddr, ir.Ptr)
	m.Aux = g.m.Maps[0]
	v := g.helper("map_lookup_elem", 1, &ir.HelperCall{Pure: true, Reads: [5]int64{1: 4}}, m, key)
	g.ifFound(v, func() {
		g.places = append(g.places, pointer{p: v, room: int64(g.m.Maps[0].ValueSize)}, pointer{p: v, room: 8})
		g.statements()
	})
}

// ifFound does something where p is not nil, or leaves where it is.
func (g *generator) ifFound(p *ir.Value, found func()) {
	then, els, join := g.f.NewBlock(), g.f.NewBlock(), g.f.NewBlock()
	g.b.SetIf(g.emit(ir.OpNe, ir.I8, p, g.constant(ir.Ptr, 0)), then, els, 0)
	g.b = then
	g.scoped(found)
	if g.b != nil {
		g.b.SetJump(join)
	}
	g.b = els
	if g.r.IntN(3) == 0 {
		g.scoped(g.statements)
	}
	if g.b != nil {
		g.b.SetJump(join)
	}
	g.b = join
	if len(join.Preds) == 0 {
		g.dropBlock(join)
	}
}

// dropBlock removes a block that nothing leads to.
func (g *generator) dropBlock(b *ir.Block) {
	for i, x := range g.f.Blocks {
		if x == b {
			g.f.Blocks = append(g.f.Blocks[:i:i], g.f.Blocks[i+1:]...)
		}
	}
	g.b = nil
}

// anyHelper calls a helper that reads and writes memory.
func (g *generator) anyHelper() {
	if g.locked {
		return
	}
	h := &ir.HelperCall{}
	args := []*ir.Value{g.val(ir.I64)}
	if at := g.place(); g.r.IntN(3) != 0 {
		args = append(args, at.p)
		switch i := len(args) - 1; g.r.IntN(4) {
		case 0:
			h.Reads[i] = 1 + g.r.Int64N(at.room)
		case 1:
			h.Reads[i] = -1
		case 2:
			if h.Reads[i] = -1; !at.readOnly {
				h.Writes[i] = -1
			}
		case 3:
			if !at.readOnly {
				h.Writes[i], h.Fills[i] = -1, at.room
			}
		}
	}
	v := g.helper("noise", 9, h, args...)
	g.scope = append(g.scope, v)
}

func (g *generator) atomic() {
	t := ir.I32 + ir.Type(g.r.IntN(2))
	p, off, ok := g.spot(t.Size(), true)
	if !ok || p.Op != ir.OpSlotAddr && p.Op != ir.OpGlobalAddr && p.Op != ir.OpHelper || off%t.Size() != 0 {
		return // it must be aligned
	}
	if g.r.IntN(6) == 0 {
		g.define(ir.OpVolatile, t, p).Int = off
		return
	}
	args := []*ir.Value{p, g.val(t)}
	op := ir.AtomicOp(g.r.IntN(6))
	if op == ir.AtomicCmpXchg {
		args = append(args, g.val(t))
	}
	v := g.define(ir.OpAtomic, t, args...)
	v.Int, v.Aux = off, op
}

// call calls a subprogram.
func (g *generator) call() {
	if len(g.subs) == 0 || g.locked {
		return
	}
	f := g.subs[g.r.IntN(len(g.subs))]
	var args []*ir.Value
	for _, p := range f.Params {
		var a *ir.Value
		if p.Type != ir.Ptr {
			a = g.val(p.Type)
		} else {
			at := g.place()
			for tries := 0; at.room < 8 || at.readOnly; tries++ {
				if tries == 10 {
					return
				}
				at = g.place()
			}
			a = at.p
			if off := g.r.Int64N(at.room - 7); off != 0 {
				a = g.emit(ir.OpPtrAdd, ir.Ptr, a, g.constant(ir.I64, off))
			}
		}
		args = append(args, a)
	}
	c := g.emit(ir.OpCall, ir.Void, args...)
	c.Aux = f
	for i, t := range f.Results {
		if g.r.IntN(4) != 0 {
			g.define(ir.OpResult, t, c).Int = int64(i)
		}
	}
}
