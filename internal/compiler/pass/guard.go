package pass

import (
	"go/token"
	"math"
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// guardAccesses checks once more where Go's own checks prove an access to a
// variable right but not in a way the verifier can follow: in s[i], where s is
// a[lo:hi], i was compared with hi-lo, which says nothing about lo+i. The sum is
// compared with the size of a, on the very register that is used. The check never
// fails. A pointer that was made before the check of its index is made again
// behind it.
func guardAccesses(m *ir.Module) error {
	for _, f := range m.Funcs {
		if f.Prog == nil && !mayFault(f) && len(f.Params)+1 > maxArgs {
			continue // a fault would need a parameter more
		}
		g := guarder{
			eliminator: newEliminator(f), inScope: map[*ir.Value][]*guard{},
			defined: map[*ir.Value]interval{}, made: map[*ir.Value]extent{},
		}
		g.facts.weak = true
		g.bounds = g.verifierBounds
		g.visit(f.Entry())
		// From the end, because a guard moves what follows it to a new block.
		for i, x := range slices.Backward(g.guards) {
			x.insert(f, int64(i+1))
		}
	}
	return nil
}

// guard is a check of one pointer for some of the accesses through it.
type guard struct {
	at     *ir.Value // the first of the accesses: the check stands before it
	ptr    address
	lo, hi int64 // the bytes accessed, relative to ptr
	uses   []guardedUse
	// known: no check is needed, the pointer was only made too early. Made here,
	// it is inside extent.
	known  bool
	extent extent
}

// guardedUse is an operand: the address off bytes behind ptr.
type guardedUse struct {
	v   *ir.Value
	arg int
	off int64
}

// address is a pointer taken apart: base + off + parts.
type address struct {
	base  *ir.Value
	off   int64
	parts []*ir.Value
	size  int64 // of what base points to
	from  *ir.Value
}

// addressOf takes p apart if it points into a variable or map value.
func addressOf(p *ir.Value) (a address, ok bool) {
	a.from = p
	for p.Op == ir.OpPtrAdd {
		if n, ok := isConst(p.Args[1]); ok {
			a.off += n
		} else {
			a.parts = append(a.parts, p.Args[1])
		}
		p = p.Args[0]
	}
	a.base = p
	a.size, ok = roomBehind(p)
	return a, ok && len(a.parts) > 0
}

// roomBehind returns how much memory of a variable or map value lies behind p.
func roomBehind(p *ir.Value) (int64, bool) {
	switch p.Op {
	case ir.OpSlotAddr:
		return p.Aux.(*ir.Slot).Size - p.Int, true
	case ir.OpGlobalAddr:
		return p.Aux.(*ir.Global).Size - p.Int, true
	case ir.OpHelper:
		m, ok := p.Args[0].Aux.(*ir.Map)
		if p.Int != helperLookup || !ok {
			return 0, false
		}
		return int64(m.ValueSize), true
	case ir.OpPhi:
		return commonRoom(p)
	}
	return 0, false
}

// commonRoom is roomBehind for a choice of places with the same room behind
// them, or one place and nil.
func commonRoom(phi *ir.Value) (room int64, ok bool) {
	for _, a := range phi.Args {
		if a.Op == ir.OpConst { // nil, which was checked before the access
			continue
		}
		n, known := int64(0), false
		if a.Op != ir.OpPhi {
			n, known = roomBehind(a)
		}
		if !known || ok && n != room {
			return 0, false
		}
		room, ok = n, true
	}
	return room, ok
}

// guarder finds the accesses that need a guard.
type guarder struct {
	*eliminator
	guards []*guard
	// inScope holds the guards on the way from the entry, by pointer.
	inScope map[*ir.Value][]*guard
	// defined holds what the verifier knows of integers where they are made: what
	// it learns later of their operands doesn't change it.
	defined map[*ir.Value]interval
	// made holds how far pointers may be from the start of what they point into,
	// as known where they are made.
	made map[*ir.Value]extent
}

func (g *guarder) visit(b *ir.Block) {
	mark := g.facts.mark()
	g.enter(b)
	var made []*ir.Value
	for _, v := range b.Values {
		g.define(v)
		eachAccess(v, func(arg int, off, size int64) {
			p, n := pointerParts(v.Args[arg])
			a, ok := addressOf(p)
			if !ok || g.proven(a, off+n, size) {
				return
			}
			use := guardedUse{v, arg, off + n}
			for _, x := range g.inScope[p] {
				if x.covers(b, use.off, size) {
					x.uses = append(x.uses, use)
					return
				}
			}
			x := &guard{at: v, ptr: a, lo: use.off, hi: use.off + size, uses: []guardedUse{use}}
			if e, ok := g.extentHere(a); ok && e.within(use.off, size, a.size) {
				x.known, x.extent = true, e
			}
			g.guards = append(g.guards, x)
			g.inScope[p] = append(g.inScope[p], x)
			made = append(made, p)
		})
	}
	for _, child := range g.dom.Children[b.ID] {
		g.visit(child)
	}
	for _, p := range made {
		g.inScope[p] = g.inScope[p][:len(g.inScope[p])-1]
	}
	g.facts.release(mark)
}

// eachAccess visits the operands of v that are addresses of memory it accesses.
func eachAccess(v *ir.Value, visit func(arg int, off, size int64)) {
	switch v.Op {
	case ir.OpLoad:
		visit(0, v.Int, loadType(v).Size())
	case ir.OpStore:
		visit(0, v.Int, storeType(v).Size())
	case ir.OpAtomic:
		visit(0, v.Int, v.Args[1].Type.Size())
	case ir.OpZero:
		visit(0, v.Int, v.Aux.(int64))
	case ir.OpMove:
		visit(0, 0, v.Int)
		visit(1, 0, v.Int)
	}
}

// covers reports whether x checks the bytes, growing it for accesses in its own
// block: once there, all of the block is executed.
func (x *guard) covers(b *ir.Block, off, size int64) bool {
	if x.known {
		return x.extent.within(off, size, x.ptr.size)
	}
	if x.at.Block == b {
		x.lo, x.hi = min(x.lo, off), max(x.hi, off+size)
	}
	return x.lo <= off && off+size <= x.hi
}

// proven reports whether the verifier knows from the way that a pointer was made
// that an access is inside its variable.
func (g *guarder) proven(a address, off, size int64) bool {
	e, ok := g.made[a.from]
	return ok && e.within(off, size, a.size)
}

// extentHere is where a pointer may be that is made here.
func (g *guarder) extentHere(a address) (e extent, ok bool) {
	e, ok = extent{a.off, a.off}, true
	for _, p := range a.parts {
		if e, ok = e.plus(g.bounds(p)); !ok {
			return e, false
		}
	}
	return e, true
}

// extent is where a pointer may be, relative to the base of its address.
type extent struct{ lo, hi int64 }

func (e extent) within(off, size, room int64) bool {
	return 0 <= e.lo+off && e.hi+off+size <= room
}

// plus adds an integer with the given bounds; false if there are none to speak of.
func (e extent) plus(r interval) (extent, bool) {
	if r.umax > math.MaxInt32 {
		return e, false
	}
	return extent{e.lo + int64(r.umin), e.hi + int64(r.umax)}, true
}

// define notes what is known of v, or of where it points, once it is made.
func (g *guarder) define(v *ir.Value) {
	switch {
	case v.Type.IsInt():
		g.defined[v] = g.compute(v)
	case v.Op == ir.OpPtrAdd:
		e, ok := g.made[v.Args[0]]
		ok = ok || v.Args[0].Op != ir.OpPtrAdd
		if n, isConstant := isConst(v.Args[1]); ok && isConstant {
			e.lo, e.hi = e.lo+n, e.hi+n
		} else if ok {
			e, ok = e.plus(g.bounds(v.Args[1]))
		}
		if ok {
			g.made[v] = e
		}
	}
}

// verifierBounds is what the verifier knows of integer v here: what it knew when v was
// made, and what comparisons of v itself said since.
func (g *guarder) verifierBounds(v *ir.Value) interval {
	r, ok := g.defined[v]
	if !ok || v.Op == ir.OpConst {
		return g.facts.bounds(v)
	}
	if v.Op == ir.OpZext && sameRegister(v.Args[0]) {
		r = r.meet(unsignedAs(g.bounds(v.Args[0])))
	}
	// A comparison of 32 bits says nothing of a register whose upper half may
	// be anything.
	if learned, ok := g.facts.ranges[v]; ok && (v.Type == ir.I64 || r.umax <= math.MaxUint32) {
		r = r.meet(learned)
	}
	return r.tighten(v.Type)
}

// sameRegister reports whether zero-extending x is no operation, so that what is
// learned of x holds for the result.
func sameRegister(x *ir.Value) bool {
	if narrow(x.Type) {
		return forms{}.isZero(x)
	}
	switch x.Op {
	case ir.OpTrunc, ir.OpParam, ir.OpResult, ir.OpPhi:
		return false
	}
	return true
}

// compute bounds the result of an operation by its operands, as the verifier
// does: it takes the result of a division or of a shift by a variable count for
// anything at all, the upper half of a 32-bit one included.
func (g *guarder) compute(v *ir.Value) interval {
	r := fullInterval(v.Type)
	x, y := r, r
	if len(v.Args) == 2 && v.Args[0].Type.IsInt() && v.Args[1].Type.IsInt() {
		x, y = g.bounds(v.Args[0]), g.bounds(v.Args[1])
	}
	switch v.Op {
	case ir.OpPhi:
		for _, a := range v.Args {
			if known, ok := g.defined[a]; ok && known.umax > r.umax {
				return fullInterval(ir.I64)
			}
		}
		if known, ok := g.facts.ranges[v]; ok {
			r = r.meet(known)
		}
	case ir.OpLoad, ir.OpEq, ir.OpNe, ir.OpULt, ir.OpULe, ir.OpSLt, ir.OpSLe:
		r.umax = min(r.umax, maxBits(v))
	case ir.OpZext:
		a := v.Args[0]
		r = unsignedAs(g.bounds(a))
		if !sameRegister(a) && a.Op != ir.OpPhi { // else nothing is done
			r.umax = min(r.umax, ir.ZeroExtend(-1, a.Type))
		}
	case ir.OpTrunc:
		if x := g.bounds(v.Args[0]); x.umax <= r.umax {
			r.umin, r.umax = x.umin, x.umax
		}
	case ir.OpAnd:
		r.umax = min(r.umax, x.umax, y.umax)
	case ir.OpOr, ir.OpXor:
		r.umax = min(r.umax, fillBits(x.umax|y.umax))
	case ir.OpAdd:
		if n, ok := isConst(v.Args[1]); ok {
			r = r.meet(x.plus(n, v.Type))
		} else if x.umax <= math.MaxInt32 && y.umax <= math.MaxInt32 && v.Type == ir.I64 {
			r.umin, r.umax = x.umin+y.umin, x.umax+y.umax
		}
	case ir.OpSub:
		if x.umax <= math.MaxInt32 && y.umax <= x.umin {
			r.umin, r.umax = x.umin-y.umax, x.umax-y.umin
		}
	case ir.OpLShr:
		if n, ok := isConst(v.Args[1]); ok {
			r.umin, r.umax = x.umin>>uint64(n), x.umax>>uint64(n)
		} else {
			return fullInterval(ir.I64)
		}
	case ir.OpShl, ir.OpMul:
		r = r.meet(g.multiple(v))
	case ir.OpUDiv, ir.OpUMod, ir.OpSDiv, ir.OpSMod, ir.OpAShr, ir.OpNeg, ir.OpBswap:
		return fullInterval(ir.I64)
	}
	return r.tighten(v.Type)
}

// multiple bounds a multiplication by a constant.
func (g *guarder) multiple(v *ir.Value) interval {
	r := fullInterval(v.Type)
	scale, ok := isConst(v.Args[1])
	if ok && v.Op == ir.OpShl {
		scale = 1 << scale
	}
	x := g.bounds(v.Args[0])
	if ok && v.Type == ir.I64 && 0 < scale && scale <= math.MaxInt32 && x.umax <= math.MaxInt32 {
		r.umin, r.umax = x.umin*uint64(scale), x.umax*uint64(scale)
	}
	return r
}

// insert puts the check in front of the first access, and a new pointer behind
// it. The number keeps that apart from equal ones made elsewhere.
func (x *guard) insert(f *ir.Func, number int64) {
	m := maker{b: x.at.Block, pos: x.ptr.from.Pos}
	i := slices.Index(m.b.Values, x.at)
	if x.known {
		p := x.ptr.base
		for _, part := range x.ptr.parts {
			p = m.pointer(p, part, number)
		}
		x.redirect(&m, p, x.ptr.off)
		m.b.Values = slices.Insert(m.b.Values, i, m.out...)
		return
	}
	tail := splitBefore(f, m.b, i)
	sum := x.ptr.parts[0]
	for _, part := range x.ptr.parts[1:] {
		sum = m.value(ir.OpAdd, ir.I64, sum, part)
	}
	// The first byte is at sum+first; if first is negative it must be part of
	// what is compared, else it may stay behind.
	first := x.ptr.off + x.lo
	if first < 0 {
		sum, first = m.value(ir.OpAdd, ir.I64, sum, m.constant(ir.I64, first)), 0
	}
	// Numbered, it is a value that nothing else is known of: the check stays
	// whatever is proven elsewhere, and the pointer is made of what it compares.
	sum = m.value(ir.OpCopy, ir.I64, sum)
	sum.Int = number
	within := m.constant(ir.I8, 0) // no index can be right
	if room := x.ptr.size - (x.hi - x.lo); room >= first {
		within = m.value(ir.OpULe, ir.I8, sum, m.constant(ir.I64, room-first))
	}
	m.b.Values = append(m.b.Values, m.out...)
	bad := f.NewBlock()
	bad.SetFault(ir.FaultIndex, m.pos)
	m.b.SetIf(within, tail, bad, m.pos)
	m.b.Likely = 1
	behind := maker{b: tail, pos: m.pos}
	x.redirect(&behind, behind.pointer(x.ptr.base, sum, number), first-x.lo)
	tail.Values = append(behind.out, tail.Values...)
}

// redirect makes the uses go through p, which is the guard's pointer without the
// constant off.
func (x *guard) redirect(m *maker, p *ir.Value, off int64) {
	for _, u := range x.uses {
		if u.v.Op == ir.OpMove { // has no offset of its own
			u.v.Args[u.arg] = m.value(ir.OpPtrAdd, ir.Ptr, p, m.constant(ir.I64, off+u.off))
		} else {
			u.v.Args[u.arg], u.v.Int = p, off+u.off
		}
	}
}

// maker makes values for a block.
type maker struct {
	b   *ir.Block
	pos token.Pos
	out []*ir.Value
}

func (m *maker) value(op ir.Op, t ir.Type, args ...*ir.Value) *ir.Value {
	v := m.b.NewValue(op, t, m.pos, args...)
	m.out = append(m.out, v)
	return v
}

func (m *maker) constant(t ir.Type, n int64) *ir.Value {
	v := m.value(ir.OpConst, t)
	v.Int = n
	return v
}

// pointer adds to a pointer what was just checked: numbered pointers are not
// equal to others, because the verifier knows more of them.
func (m *maker) pointer(p, n *ir.Value, number int64) *ir.Value {
	v := m.value(ir.OpPtrAdd, ir.Ptr, p, n)
	v.Int = number
	return v
}

// splitBefore moves value number i of b and all behind it to a new block.
func splitBefore(f *ir.Func, b *ir.Block, i int) *ir.Block {
	if i > 0 {
		return splitAfter(f, b.Values[i-1])
	}
	none := b.NewValue(ir.OpConst, ir.I64, b.Pos)
	b.Values = append([]*ir.Value{none}, b.Values...)
	return splitAfter(f, none)
}
