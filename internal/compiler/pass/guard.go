package pass

import (
	"math"
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// guardAccesses checks once more where Go's own checks prove an access to a
// variable right but not in a way the verifier can follow: in s[i], where s is
// a[lo:hi], i was compared with hi-lo, which says nothing about lo+i. The sum is
// compared with the size of a, on the very register that is used. The check never
// fails.
func guardAccesses(m *ir.Module) error {
	for _, f := range m.Funcs {
		if f.Prog == nil && !mayFault(f) && len(f.Params)+1 > maxArgs {
			continue // a fault would need a parameter more
		}
		g := guarder{eliminator: newEliminator(f), inScope: map[*ir.Value][]*guard{}}
		g.visit(f.Entry())
		// From the end, because a guard moves what follows it to a new block.
		for _, x := range slices.Backward(g.guards) {
			x.insert(f)
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
	switch p.Op {
	case ir.OpSlotAddr:
		a.size = p.Aux.(*ir.Slot).Size - p.Int
	case ir.OpGlobalAddr:
		a.size = p.Aux.(*ir.Global).Size - p.Int
	case ir.OpHelper:
		m, ok := p.Args[0].Aux.(*ir.Map)
		if p.Int != helperLookup || !ok {
			return a, false
		}
		a.size = int64(m.ValueSize)
	default:
		return a, false
	}
	return a, len(a.parts) > 0
}

// guarder finds the accesses that need a guard.
type guarder struct {
	*eliminator
	guards []*guard
	// inScope holds the guards on the way from the entry, by pointer.
	inScope map[*ir.Value][]*guard
}

func (g *guarder) visit(b *ir.Block) {
	mark := g.facts.mark()
	g.enter(b)
	var made []*ir.Value
	for _, v := range b.Values {
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
	if x.at.Block == b {
		x.lo, x.hi = min(x.lo, off), max(x.hi, off+size)
	}
	return x.lo <= off && off+size <= x.hi
}

// proven reports whether bounds that the verifier knows too keep an access
// inside its variable.
func (g *guarder) proven(a address, off, size int64) bool {
	lo, hi := a.off+off, a.off+off+size
	for _, p := range a.parts {
		r := g.facts.scaledBounds(p)
		if r.umax > math.MaxInt32 {
			return false
		}
		lo, hi = lo+int64(r.umin), hi+int64(r.umax)
	}
	return 0 <= lo && hi <= a.size
}

// scaledBounds is bounds for the multiples that indices become.
func (k *facts) scaledBounds(v *ir.Value) interval {
	r := k.bounds(v)
	if v.Op != ir.OpShl && v.Op != ir.OpMul || v.Args[1].Op != ir.OpConst {
		return r
	}
	scale := v.Args[1].Int
	if v.Op == ir.OpShl {
		scale = 1 << scale
	}
	if x := k.bounds(v.Args[0]); 0 < scale && scale <= math.MaxInt32 && x.umax <= math.MaxInt32 {
		r.umin, r.umax = max(r.umin, x.umin*uint64(scale)), min(r.umax, x.umax*uint64(scale))
	}
	return r
}

// insert puts the check in front of the first access.
func (x *guard) insert(f *ir.Func) {
	b := x.at.Block
	i := slices.Index(b.Values, x.at)
	var tail *ir.Block
	if i > 0 {
		tail = splitAfter(f, b.Values[i-1])
	} else {
		tail = splitBefore(f, b)
	}
	pos := x.ptr.from.Pos
	constant := func(n int64) *ir.Value {
		c := b.Append(ir.OpConst, ir.I64, pos)
		c.Int = n
		return c
	}
	sum := x.ptr.parts[0]
	for _, p := range x.ptr.parts[1:] {
		sum = b.Append(ir.OpAdd, ir.I64, pos, sum, p)
	}
	// The first byte is at sum+first; if first is negative it must be part of
	// what is compared, else it may stay behind.
	first, base := x.ptr.off+x.lo, x.ptr.base
	room := x.ptr.size - (x.hi - x.lo)
	if first < 0 {
		sum, first = b.Append(ir.OpAdd, ir.I64, pos, sum, constant(first)), 0
	}
	var within *ir.Value
	if room >= first {
		within = b.Append(ir.OpULe, ir.I8, pos, sum, constant(room-first))
	} else {
		within = b.Append(ir.OpConst, ir.I8, pos) // no index can be right
	}
	bad := f.NewBlock()
	bad.SetFault(ir.FaultIndex, pos)
	b.SetIf(within, tail, bad, pos)
	b.Likely = 1
	p := tail.NewValue(ir.OpPtrAdd, ir.Ptr, pos, base, sum)
	values := []*ir.Value{p}
	for _, u := range x.uses {
		// ptr+off is sum+ptr.off+off.
		off := u.off - x.lo + first
		if u.v.Op != ir.OpMove {
			u.v.Args[u.arg], u.v.Int = p, off
			continue
		}
		n := tail.NewValue(ir.OpConst, ir.I64, pos)
		n.Int = off
		q := tail.NewValue(ir.OpPtrAdd, ir.Ptr, pos, p, n)
		u.v.Args[u.arg] = q
		values = append(values, n, q)
	}
	tail.Values = append(values, tail.Values...)
}

// splitBefore moves all values of b but the phis to a new block behind it.
func splitBefore(f *ir.Func, b *ir.Block) *ir.Block {
	phis := b.Phis()
	if len(phis) > 0 {
		return splitAfter(f, phis[len(phis)-1])
	}
	none := b.NewValue(ir.OpConst, ir.I64, b.Pos)
	b.Values = append([]*ir.Value{none}, b.Values...)
	return splitAfter(f, none)
}
