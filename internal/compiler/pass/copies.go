package pass

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// elideCopies removes copies between two whole slots where one slot can stand
// for both: because the copy is only read and the original stays as it is, or
// because the original was only made to be copied. Go's values in memory are
// copied at every assignment, call and return; few of the copies matter.
func elideCopies(f *ir.Func) {
	for again := true; again; {
		again = false
		c := newCopyFinder(f)
		for _, m := range c.moves {
			if keep, drop := c.merge(m); drop != nil {
				replaceSlot(f, m, keep, drop)
				again = true
				break // the points have changed
			}
		}
	}
	dropSlots(f)
}

// copyFinder knows where the slots of a function are read and written.
type copyFinder struct {
	f             *ir.Func
	start         []int
	n             int
	escaped       map[*ir.Slot]bool
	reads, writes map[*ir.Slot][]int
	moves         []*ir.Value
	point         map[*ir.Value]int
}

func newCopyFinder(f *ir.Func) *copyFinder {
	c := &copyFinder{
		f: f, start: make([]int, f.NumBlocks()), escaped: escapedSlots(f),
		reads: map[*ir.Slot][]int{}, writes: map[*ir.Slot][]int{}, point: map[*ir.Value]int{},
	}
	for _, b := range f.Blocks {
		c.start[b.ID] = c.n
		for i, v := range b.Values {
			c.add(v, c.n+i)
		}
		c.n += len(b.Values) + 1
	}
	return c
}

// add records what v, at a point, does to slots.
func (c *copyFinder) add(v *ir.Value, at int) {
	c.point[v] = at
	for i, a := range v.Args {
		s := slotOf(a)
		if s == nil || v.Op == ir.OpPtrAdd {
			continue
		}
		reads, writes := touches(v, i)
		if reads {
			c.reads[s] = append(c.reads[s], at)
		}
		if writes {
			c.writes[s] = append(c.writes[s], at)
		}
	}
	if v.Op == ir.OpMove && isWhole(v.Args[0], v.Int) && isWhole(v.Args[1], v.Int) && v.Args[0].Aux != v.Args[1].Aux {
		c.moves = append(c.moves, v)
	}
}

// touches tells whether v reads and writes through operand i.
func touches(v *ir.Value, i int) (reads, writes bool) {
	switch v.Op {
	case ir.OpLoad, ir.OpVolatile:
		return true, false
	case ir.OpStore, ir.OpZero:
		return i != 0, i == 0
	case ir.OpMove:
		return i == 1, i == 0
	case ir.OpHelper:
		h := v.Aux.(*ir.HelperCall)
		return h.Reads[i] != 0, h.Writes[i] != 0
	}
	return !v.Op.IsCompare(), !v.Op.IsCompare()
}

// isWhole reports whether p is the start of a slot of the given size.
func isWhole(p *ir.Value, size int64) bool {
	return p.Op == ir.OpSlotAddr && p.Int == 0 && p.Aux.(*ir.Slot).Size == size
}

// merge decides whether copy m can go: drop is the slot that keep replaces.
func (c *copyFinder) merge(m *ir.Value) (keep, drop *ir.Slot) {
	dst, src := m.Args[0].Aux.(*ir.Slot), m.Args[1].Aux.(*ir.Slot)
	if c.escaped[dst] || c.escaped[src] {
		return nil, nil
	}
	at := c.point[m]
	switch {
	case only(c.writes[dst], at) && !c.touched(c.between([]int{at}, c.reads[dst]), c.writes[src], at):
		return src, dst
	case only(c.reads[src], at) && !c.touched(c.between(c.writes[src], []int{at}), slices.Concat(c.reads[dst], c.writes[dst]), at) &&
		!c.touched(c.reaching(c.reads[dst], at), c.writes[src], at):
		return dst, src
	}
	return nil, nil
}

func only(points []int, at int) bool { return len(points) == 1 && points[0] == at }

// between returns the points on ways from one of the first to one of the second.
func (c *copyFinder) between(from, to []int) bitset {
	region := flood(c.f, c.start, c.n, from, true, noBarrier)
	before := flood(c.f, c.start, c.n, to, false, noBarrier)
	for i := range region {
		region[i] &= before[i]
	}
	return region
}

// reaching returns the points from which a way leads to one of the given points
// without passing the copy.
func (c *copyFinder) reaching(to []int, copy int) bitset {
	return flood(c.f, c.start, c.n, to, false, copy)
}

// touched reports whether any of the points besides at lies in the region.
func (c *copyFinder) touched(region bitset, points []int, at int) bool {
	for _, p := range points {
		if p != at && region.has(p) {
			return true
		}
	}
	return false
}

// replaceSlot removes copy m and makes keep stand for drop.
func replaceSlot(f *ir.Func, m *ir.Value, keep, drop *ir.Slot) {
	keep.Align = max(keep.Align, drop.Align)
	for _, b := range f.Blocks {
		kept := b.Values[:0]
		for _, v := range b.Values {
			if v == m {
				continue
			}
			if v.Op == ir.OpSlotAddr && v.Aux == drop {
				v.Aux = keep
			}
			kept = append(kept, v)
		}
		b.Values = kept
	}
}
