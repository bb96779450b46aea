package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// place is a piece of memory: size bytes at base+off. size -1 is unknown.
type place struct {
	// base is the pointer without constant additions: two places with the
	// same base compare exactly.
	base      *ir.Value
	off, size int64
	// root is where the pointer came from, variable additions taken off too;
	// it tells the object.
	root *ir.Value
}

// placeOf returns the memory that a pointer operand with offset covers.
func placeOf(p *ir.Value, off, size int64) place {
	for p.Op == ir.OpPtrAdd && p.Args[1].Op == ir.OpConst {
		off += p.Args[1].Int
		p = p.Args[0]
	}
	root := p
	for root.Op == ir.OpPtrAdd {
		root = root.Args[0]
	}
	if p.Op == ir.OpSlotAddr || p.Op == ir.OpGlobalAddr {
		off += p.Int
	}
	return place{p, off, size, root}
}

// constant reports whether the place is at a constant offset of its object.
func (p place) constant() bool { return p.base == p.root }

// same reports whether p and q are exactly the same bytes.
func (p place) same(q place) bool {
	return p.off == q.off && p.size == q.size && sameObject(p.base, q.base)
}

// loadType returns the width that a load reads. Before legalisation that is its
// type; afterwards narrow loads keep their width in Aux.
func loadType(v *ir.Value) ir.Type {
	if t, ok := v.Aux.(ir.Type); ok {
		return t
	}
	return v.Type
}

// storeType returns the width that a store writes.
func storeType(v *ir.Value) ir.Type {
	if t, ok := v.Aux.(ir.Type); ok {
		return t
	}
	return v.Args[1].Type
}

// objectKind is what a pointer points into, by where it came from.
type objectKind uint8

const (
	objectUnknown objectKind = iota
	objectSlot
	objectGlobal
	objectContext
	objectPacket
	objectMapValue
)

func kindOf(base *ir.Value) objectKind {
	switch base.Op {
	case ir.OpSlotAddr:
		return objectSlot
	case ir.OpGlobalAddr:
		return objectGlobal
	case ir.OpCtxPtr:
		return objectPacket
	case ir.OpParam:
		if base.Block.Func.Prog != nil {
			return objectContext
		}
	case ir.OpHelper:
		return objectMapValue
	}
	return objectUnknown
}

// mayAlias reports whether two places can share a byte. escaped tells which
// slots unknown pointers may point to.
func mayAlias(a, b place, escaped map[*ir.Slot]bool) bool {
	if sameObject(a.base, b.base) && a.size >= 0 && b.size >= 0 {
		return a.off < b.off+b.size && b.off < a.off+a.size
	}
	ka, kb := kindOf(a.root), kindOf(b.root)
	if ka > kb {
		a, b, ka, kb = b, a, kb, ka
	}
	switch {
	case ka == objectUnknown && kb == objectSlot:
		return escaped[b.root.Aux.(*ir.Slot)]
	case ka == objectUnknown || kb == objectUnknown:
		return true
	case ka == objectSlot && kb == objectSlot, ka == objectGlobal && kb == objectGlobal:
		return sameObject(a.root, b.root)
	}
	return ka == kb
}

func sameObject(a, b *ir.Value) bool {
	if a == b {
		return true
	}
	if a.Op == ir.OpSlotAddr || a.Op == ir.OpGlobalAddr {
		return a.Op == b.Op && a.Aux == b.Aux
	}
	return false
}

// escapedSlots finds the slots whose address goes anywhere but into loads,
// stores and helper calls: a helper keeps no pointer, but a phi, a stored
// address or a called function may.
func escapedSlots(f *ir.Func) map[*ir.Slot]bool {
	escaped := map[*ir.Slot]bool{}
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			for i, a := range v.Args {
				if s := slotOf(a); s != nil && !harmlessUse(v, i) {
					escaped[s] = true
				}
			}
		}
		for _, r := range b.Rets {
			if s := slotOf(r); s != nil {
				escaped[s] = true
			}
		}
	}
	return escaped
}

// slotOf returns the slot that pointer v was derived from by additions; nil if
// there is none.
func slotOf(v *ir.Value) *ir.Slot {
	for v.Op == ir.OpPtrAdd {
		v = v.Args[0]
	}
	if v.Op != ir.OpSlotAddr {
		return nil
	}
	return v.Aux.(*ir.Slot)
}

func harmlessUse(v *ir.Value, i int) bool {
	switch v.Op {
	case ir.OpLoad, ir.OpVolatile, ir.OpZero, ir.OpMove, ir.OpHelper, ir.OpAtomic:
		return true
	case ir.OpStore, ir.OpPtrAdd:
		return i == 0
	}
	return v.Op.IsCompare()
}

// writes calls visit for each place that v may write, or lets others write. all
// means anything that is not a slot, and any escaped slot.
func writes(v *ir.Value, visit func(p place), all func()) {
	switch v.Op {
	case ir.OpStore:
		visit(placeOf(v.Args[0], v.Int, storeType(v).Size()))
	case ir.OpZero:
		visit(placeOf(v.Args[0], v.Int, v.Aux.(int64)))
	case ir.OpMove:
		visit(placeOf(v.Args[0], 0, v.Int))
	case ir.OpAtomic: // what other CPUs wrote before shows behind it
		visit(placeOf(v.Args[0], v.Int, v.Args[1].Type.Size()))
		all()
	case ir.OpVolatile:
		all()
	case ir.OpHelper:
		h := v.Aux.(*ir.HelperCall)
		for i, a := range v.Args {
			if h.Writes[i] != 0 {
				visit(placeOf(a, 0, -1))
			}
		}
		if !h.Pure {
			all()
		}
	case ir.OpCall, ir.OpTailCall:
		for _, a := range v.Args {
			if a.Type == ir.Ptr {
				visit(placeOf(a, 0, -1))
			}
		}
		all()
	}
}
