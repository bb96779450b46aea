package pass

import (
	"slices"
	"sort"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// promoteSlots turns stack slots into values: scalar replacement of structs
// and arrays plus construction of SSA form. A slot qualifies if its address is
// used for loads and stores at constant offsets only and the accesses fall
// into pieces that are pairwise equal or disjoint.
func promoteSlots(f *ir.Func) {
	clean(f)
	for range 4 { // expanding a move can make its other side promotable
		foldAddresses(f)
		uses := findSlotUses(f)
		expanded := expandMoves(f, uses)
		if expanded {
			uses = findSlotUses(f)
		}
		vars := map[*ir.Slot]*pieces{}
		for _, s := range f.Slots {
			if u := uses[s]; u != nil && !u.escapes {
				if p := u.partition(); p != nil {
					vars[s] = p
				}
			}
		}
		if len(vars) > 0 {
			newPromoter(f, vars).run()
		}
		clean(f)
		if len(vars) == 0 && !expanded {
			break
		}
	}
	dropSlots(f)
}

// dropSlots forgets slots that nothing refers to.
func dropSlots(f *ir.Func) {
	used := map[*ir.Slot]bool{}
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			if s, ok := v.Aux.(*ir.Slot); ok {
				used[s] = true
			}
		}
	}
	f.Slots = slices.DeleteFunc(f.Slots, func(s *ir.Slot) bool { return !used[s] })
}

// access is one load, store, clear or move of a piece of a slot.
type access struct {
	off, size int64
	typ       ir.Type // Void for zero and move
}

// slotUse is everything the code does with one slot.
type slotUse struct {
	slot     *ir.Slot
	escapes  bool
	accesses []access
	moves    []*ir.Value
}

// findSlotUses collects the uses of each slot's address.
func findSlotUses(f *ir.Func) map[*ir.Slot]*slotUse {
	uses := map[*ir.Slot]*slotUse{}
	of := func(v *ir.Value) *slotUse {
		if v.Op != ir.OpSlotAddr {
			return nil
		}
		s := v.Aux.(*ir.Slot)
		if uses[s] == nil {
			uses[s] = &slotUse{slot: s}
		}
		return uses[s]
	}
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			for i, a := range v.Args {
				if u := of(a); u != nil {
					u.add(v, i)
				}
			}
		}
		for _, r := range b.Rets {
			if u := of(r); u != nil {
				u.escapes = true
			}
		}
		if b.Control != nil && of(b.Control) != nil {
			of(b.Control).escapes = true
		}
	}
	return uses
}

// add records that v uses the address as operand i.
func (u *slotUse) add(v *ir.Value, i int) {
	base := v.Args[i].Int
	switch {
	case v.Op == ir.OpLoad:
		u.accesses = append(u.accesses, access{base + v.Int, v.Type.Size(), v.Type})
	case v.Op == ir.OpStore && i == 0:
		t := v.Args[1].Type
		u.accesses = append(u.accesses, access{base + v.Int, t.Size(), t})
	case v.Op == ir.OpZero:
		u.accesses = append(u.accesses, access{base + v.Int, v.Aux.(int64), ir.Void})
	case v.Op == ir.OpMove:
		u.accesses = append(u.accesses, access{base, v.Int, ir.Void})
		u.moves = append(u.moves, v)
	default:
		u.escapes = true
	}
}

// pieces is a partition of the accessed part of a slot.
type pieces struct {
	slot *ir.Slot
	list []access // disjoint, sorted
}

// partition returns the pieces, nil if the accesses overlap or moves remain.
func (u *slotUse) partition() *pieces {
	if len(u.moves) > 0 {
		return nil
	}
	p := &pieces{slot: u.slot}
	if !p.addScalars(u.accesses) {
		return nil
	}
	for _, a := range u.accesses {
		if a.typ == ir.Void && !p.covers(a) {
			return nil
		}
	}
	return p
}

// addScalars collects the distinct scalar accesses; false if any two overlap,
// unless one is a whole and the others its halves: the halves become pieces and
// the whole is put together from them.
func (p *pieces) addScalars(all []access) bool {
	for _, a := range all {
		if a.typ == ir.Void {
			continue
		}
		if a.off < 0 || a.off+a.size > p.slot.Size || !p.addScalar(a) {
			return false
		}
	}
	p.splitWholes()
	for _, a := range all {
		if a.typ != ir.Void && !p.composes(a) {
			return false
		}
	}
	sort.Slice(p.list, func(i, j int) bool { return p.list[i].off < p.list[j].off })
	for i := 1; i < len(p.list); i++ {
		if p.list[i-1].off+p.list[i-1].size > p.list[i].off {
			return false
		}
	}
	return true
}

// addScalar adds one access; false if the same bytes are used as an integer and
// as an integer of another type.
func (p *pieces) addScalar(a access) bool {
	i := p.findSized(a.off, a.size)
	if i < 0 {
		p.list = append(p.list, a)
		return true
	}
	have := &p.list[i]
	if have.typ != a.typ {
		if have.typ != ir.Ptr && a.typ != ir.Ptr {
			return false
		}
		have.typ = ir.Ptr
	}
	return true
}

// splitWholes replaces every piece that contains a half of itself by its two
// halves.
func (p *pieces) splitWholes() {
	for i := 0; i < len(p.list); i++ {
		w := p.list[i]
		half := w.size / 2
		if w.typ == ir.Ptr || half == 0 || p.findSized(w.off, half) < 0 && p.findSized(w.off+half, half) < 0 {
			continue
		}
		p.list = append(p.list[:i], p.list[i+1:]...)
		i--
		for _, off := range []int64{w.off, w.off + half} {
			if p.findSized(off, half) < 0 {
				p.list = append(p.list, access{off, half, ir.IntOfSize(half)})
			}
		}
	}
}

// composes reports whether access a is a piece or two of them.
func (p *pieces) composes(a access) bool {
	half := a.size / 2
	return p.findSized(a.off, a.size) >= 0 ||
		half > 0 && p.findSized(a.off, half) >= 0 && p.findSized(a.off+half, half) >= 0
}

// findSized returns the index of the piece of the given size at off.
func (p *pieces) findSized(off, size int64) int {
	for i, a := range p.list {
		if a.off == off && a.size == size {
			return i
		}
	}
	return -1
}

// covers reports whether a clear of a touches whole pieces only.
func (p *pieces) covers(a access) bool {
	for _, q := range p.list {
		disjoint := q.off+q.size <= a.off || a.off+a.size <= q.off
		inside := a.off <= q.off && q.off+q.size <= a.off+a.size
		if !disjoint && !inside {
			return false
		}
	}
	return true
}

// maxMovePieces bounds how many scalars a move is taken apart into.
const maxMovePieces = 48

// expandMoves replaces moves from or to promotable slots by loads and stores of
// the pieces that either side is otherwise accessed in.
func expandMoves(f *ir.Func, uses map[*ir.Slot]*slotUse) bool {
	changed := false
	for _, b := range f.Blocks {
		out := make([]*ir.Value, 0, len(b.Values))
		for _, v := range b.Values {
			list, ok := movePieces(v, uses)
			if !ok {
				out = append(out, v)
				continue
			}
			changed = true
			out = append(out, expandMove(b, v, list)...)
		}
		b.Values = out
	}
	return changed
}

// movePieces finds the pieces in which a move can be done.
func movePieces(v *ir.Value, uses map[*ir.Slot]*slotUse) ([]access, bool) {
	if v.Op != ir.OpMove {
		return nil, false
	}
	all := &pieces{slot: &ir.Slot{Size: v.Int}}
	candidate := false
	for _, a := range v.Args {
		if a.Op != ir.OpSlotAddr || uses[a.Aux.(*ir.Slot)].escapes {
			continue
		}
		candidate = true
		var inside []access
		for _, x := range uses[a.Aux.(*ir.Slot)].accesses {
			x.off -= a.Int
			if x.off+x.size <= 0 || x.off >= v.Int {
				continue
			}
			inside = append(inside, x)
		}
		if !all.addScalars(inside) {
			return nil, false
		}
	}
	if !candidate {
		return nil, false
	}
	list := fillGaps(all.list, v.Int)
	return list, len(list) <= maxMovePieces
}

// fillGaps completes a partition of [0,size) with the widest words that fit.
func fillGaps(list []access, size int64) []access {
	var out []access
	at := int64(0)
	fill := func(to int64) {
		for at < to {
			n := int64(8)
			for n > to-at || at%n != 0 {
				n /= 2
			}
			out = append(out, access{at, n, ir.IntOfSize(n)})
			at += n
		}
	}
	for _, a := range list {
		fill(a.off)
		out = append(out, a)
		at = a.off + a.size
	}
	fill(size)
	return out
}

func expandMove(b *ir.Block, v *ir.Value, list []access) []*ir.Value {
	var out []*ir.Value
	for _, a := range list {
		ld := b.NewValue(ir.OpLoad, a.typ, v.Pos, v.Args[1])
		st := b.NewValue(ir.OpStore, ir.Void, v.Pos, v.Args[0], ld)
		ld.Int, st.Int = a.off, a.off
		out = append(out, ld, st)
	}
	return out
}

// foldAddresses moves constant pointer arithmetic into slot and global
// addresses and into the offsets of loads and stores.
func foldAddresses(f *ir.Func) {
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			if v.Op == ir.OpPtrAdd && v.Args[1].Op == ir.OpConst {
				base := v.Args[0]
				switch base.Op {
				case ir.OpSlotAddr, ir.OpGlobalAddr:
					off := v.Args[1].Int + base.Int
					v.Reset(base.Op)
					v.Aux, v.Int = base.Aux, off
				}
			}
			switch v.Op {
			case ir.OpLoad, ir.OpVolatile, ir.OpStore, ir.OpZero, ir.OpAtomic, ir.OpCtxPtr:
				for a := v.Args[0]; a.Op == ir.OpPtrAdd && a.Args[1].Op == ir.OpConst; a = v.Args[0] {
					v.Int += a.Args[1].Int
					v.Args[0] = a.Args[0]
				}
			}
		}
	}
}
