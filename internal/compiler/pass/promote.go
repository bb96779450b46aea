package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// promoter rewrites the loads and stores of a set of slots into values, after
// Braun et al., "Simple and Efficient Construction of Static Single Assignment
// Form" (2013).
type promoter struct {
	f    *ir.Func
	vars map[*ir.Slot]*pieces
	ssa  *ssaBuilder
	base map[*ir.Slot]int // number of a slot's first variable
}

func newPromoter(f *ir.Func, vars map[*ir.Slot]*pieces) *promoter {
	p := &promoter{f: f, vars: vars, base: map[*ir.Slot]int{}}
	var types []ir.Type
	for _, s := range f.Slots {
		if vars[s] == nil {
			continue
		}
		p.base[s] = len(types)
		for _, a := range vars[s].list {
			types = append(types, a.typ)
		}
	}
	p.ssa = newSSABuilder(f, types)
	return p
}

func (p *promoter) run() {
	for _, b := range p.ssa.order {
		out := make([]*ir.Value, 0, len(b.Values))
		for _, v := range b.Values {
			if !p.rewrite(b, v, &out) {
				out = append(out, v)
			}
		}
		p.ssa.leave(b, out)
	}
	p.ssa.finish()
}

// rewrite replaces v if it accesses a promoted slot.
func (p *promoter) rewrite(b *ir.Block, v *ir.Value, out *[]*ir.Value) bool {
	switch v.Op {
	case ir.OpLoad, ir.OpStore, ir.OpZero:
	case ir.OpSlotAddr:
		return p.vars[v.Aux.(*ir.Slot)] != nil
	default:
		return false
	}
	addr := v.Args[0]
	if addr.Op != ir.OpSlotAddr {
		return false
	}
	slot := addr.Aux.(*ir.Slot)
	vars := p.vars[slot]
	if vars == nil {
		return false
	}
	off := addr.Int + v.Int
	switch v.Op {
	case ir.OpLoad:
		x := p.readPiece(b, v, slot, off, out)
		p.ssa.replace(v, x)
	case ir.OpStore:
		p.writePiece(b, v, slot, off, out)
	case ir.OpZero:
		for i, a := range vars.list {
			if off <= a.off && a.off+a.size <= off+v.Aux.(int64) {
				zero := b.NewValue(ir.OpConst, a.typ, v.Pos)
				*out = append(*out, zero)
				p.ssa.write(b, p.base[slot]+i, zero)
			}
		}
	}
	return true
}

// readPiece returns what load v reads: a variable, or two halves put together.
func (p *promoter) readPiece(b *ir.Block, v *ir.Value, slot *ir.Slot, off int64, out *[]*ir.Value) *ir.Value {
	vars, t := p.vars[slot], v.Type
	if i := vars.findSized(off, t.Size()); i >= 0 {
		x := p.ssa.read(b, p.base[slot]+i)
		if x.Type != t {
			x = emitTo(out, b, v, ir.OpPtrToInt, t, x)
		}
		return x
	}
	half := t.Size() / 2
	low := p.ssa.read(b, p.base[slot]+vars.findSized(off, half))
	high := p.ssa.read(b, p.base[slot]+vars.findSized(off+half, half))
	low = emitTo(out, b, v, ir.OpZext, t, low)
	high = emitTo(out, b, v, ir.OpZext, t, high)
	high = emitTo(out, b, v, ir.OpShl, t, high, halfShift(out, b, v, t))
	return emitTo(out, b, v, ir.OpOr, t, low, high)
}

// writePiece makes what store v writes the current value of a variable, or of
// two halves.
func (p *promoter) writePiece(b *ir.Block, v *ir.Value, slot *ir.Slot, off int64, out *[]*ir.Value) {
	vars, x := p.vars[slot], v.Args[1]
	t := x.Type
	if i := vars.findSized(off, t.Size()); i >= 0 {
		if t != vars.list[i].typ {
			x = emitTo(out, b, v, ir.OpIntToPtr, ir.Ptr, x)
		}
		p.ssa.write(b, p.base[slot]+i, x)
		return
	}
	half := ir.IntOfSize(t.Size() / 2)
	high := emitTo(out, b, v, ir.OpLShr, t, x, halfShift(out, b, v, t))
	p.ssa.write(b, p.base[slot]+vars.findSized(off, half.Size()), emitTo(out, b, v, ir.OpTrunc, half, x))
	p.ssa.write(b, p.base[slot]+vars.findSized(off+half.Size(), half.Size()), emitTo(out, b, v, ir.OpTrunc, half, high))
}

// halfShift makes the constant that moves the upper half of t down.
func halfShift(out *[]*ir.Value, b *ir.Block, like *ir.Value, t ir.Type) *ir.Value {
	n := emitTo(out, b, like, ir.OpConst, t)
	n.Int = t.Bits() / 2
	return n
}

func emitTo(out *[]*ir.Value, b *ir.Block, like *ir.Value, op ir.Op, t ir.Type, args ...*ir.Value) *ir.Value {
	v := b.NewValue(op, t, like.Pos, args...)
	*out = append(*out, v)
	return v
}
