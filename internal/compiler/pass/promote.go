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
		i := vars.find(off)
		x := p.ssa.read(b, p.base[slot]+i)
		if x.Type != v.Type {
			x = convertPtr(b, x, v, out)
		}
		p.ssa.replace(v, x)
	case ir.OpStore:
		i := vars.find(off)
		x := v.Args[1]
		if x.Type != vars.list[i].typ {
			conv := b.NewValue(ir.OpIntToPtr, ir.Ptr, v.Pos, x)
			*out = append(*out, conv)
			x = conv
		}
		p.ssa.write(b, p.base[slot]+i, x)
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

// convertPtr reads a pointer variable as an integer.
func convertPtr(b *ir.Block, x, load *ir.Value, out *[]*ir.Value) *ir.Value {
	v := b.NewValue(ir.OpPtrToInt, load.Type, load.Pos, x)
	*out = append(*out, v)
	return v
}
