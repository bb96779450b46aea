package pass

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// layoutFrame gives every slot its place below the frame pointer. Slots whose
// lives do not overlap share memory. The largest are placed first.
func layoutFrame(f *ir.Func) {
	dropSlots(f)
	live := slotLiveness(f)
	order := slices.Clone(f.Slots)
	slices.SortStableFunc(order, func(a, b *ir.Slot) int { return int(b.Size - a.Size) })
	for i, s := range order {
		s.Offset = -lowest(s, order[:i], live)
	}
}

// lowest returns how far below the frame pointer s must begin to be clear of those
// of the placed slots that it lives with.
func lowest(s *ir.Slot, placed []*ir.Slot, live *slotRanges) int64 {
	need := (s.Size + 7) &^ 7
	end := int64(0) // distance of the slot's end from the frame pointer
	for moved := true; moved; {
		moved = false
		for _, p := range placed {
			pEnd, pStart := -p.Offset-(p.Size+7)&^7, -p.Offset
			if live.overlap(s, p) && end < pStart && pEnd < end+need {
				end, moved = pStart, true
			}
		}
	}
	return end + need
}

// FrameSize returns the bytes that the slots of f take, a multiple of 8, once
// pass frame ran.
func FrameSize(f *ir.Func) int64 {
	size := int64(0)
	for _, s := range f.Slots {
		size = max(size, -s.Offset)
	}
	return size
}

// slotRanges holds, for each slot, the program points at which its contents
// matter. A point is a position in the concatenation of all blocks.
type slotRanges struct {
	points map[*ir.Slot]bitset
}

type bitset []uint64

func newBitset(n int) bitset    { return make(bitset, (n+63)/64) }
func (b bitset) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

func (b bitset) meets(o bitset) bool {
	for i := range b {
		if b[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

func (r *slotRanges) overlap(a, b *ir.Slot) bool {
	return r.points[a] == nil || r.points[b] == nil || r.points[a].meets(r.points[b])
}

// slotLiveness computes the lives of slots: the points that lie both behind
// some use of the slot's address and before another. A slot whose address is
// stored, passed to a function or chosen by a phi lives everywhere (nil).
func slotLiveness(f *ir.Func) *slotRanges {
	r := &slotRanges{points: map[*ir.Slot]bitset{}}
	start := make([]int, f.NumBlocks())
	n := 0
	for _, b := range f.Blocks {
		start[b.ID] = n
		n += len(b.Values) + 1
	}
	escaped := escapedSlots(f)
	uses := slotUsePoints(f, start)
	for _, s := range f.Slots {
		if escaped[s] {
			continue
		}
		after := flood(f, start, n, uses[s], true, noBarrier)
		before := flood(f, start, n, uses[s], false, noBarrier)
		for i := range after {
			after[i] &= before[i]
		}
		r.points[s] = after
	}
	return r
}

// slotUsePoints lists where each slot's address, or one derived from it, is an
// operand.
func slotUsePoints(f *ir.Func, start []int) map[*ir.Slot][]int {
	uses := map[*ir.Slot][]int{}
	for _, b := range f.Blocks {
		for i, v := range b.Values {
			for _, a := range v.Args {
				if s := slotOf(a); s != nil && v.Op != ir.OpPtrAdd {
					uses[s] = append(uses[s], start[b.ID]+i)
				}
			}
		}
	}
	return uses
}

// noBarrier is a point that does not exist.
const noBarrier = -1

// flood marks the points reachable from the uses, forward or backward, the
// uses included, without passing a barrier.
func flood(f *ir.Func, start []int, n int, uses []int, forward bool, barrier int) bitset {
	reach := newBitset(n)
	isUse := newBitset(n)
	for _, u := range uses {
		isUse.set(u)
	}
	entered := make([]bool, f.NumBlocks()) // reached at its near end
	po := f.Postorder()
	for changed := true; changed; {
		changed = false
		for k := range po {
			b := po[k]
			if forward {
				b = po[len(po)-1-k]
			}
			if floodBlock(b, start[b.ID], entered, isUse, reach, forward, barrier) {
				changed = true
			}
		}
	}
	return reach
}

func floodBlock(b *ir.Block, base int, entered []bool, isUse, reach bitset, forward bool, barrier int) bool {
	on := entered[b.ID]
	size := len(b.Values) + 1
	for i := range size {
		at := base + i
		if !forward {
			at = base + size - 1 - i
		}
		on = on && at != barrier || isUse.has(at)
		if on {
			reach.set(at)
		}
	}
	next := b.Succs
	if !forward {
		next = b.Preds
	}
	changed := false
	for _, s := range next {
		if on && !entered[s.ID] {
			entered[s.ID] = true
			changed = true
		}
	}
	return changed
}
