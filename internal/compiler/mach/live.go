package mach

import "math/bits"

// RegSet is a set of registers, one bit each. Its capacity is fixed by
// [NewRegSet].
type RegSet []uint64

// NewRegSet makes an empty set for registers below n.
func NewRegSet(n Reg) RegSet { return make(RegSet, (n+63)/64) }

// Has reports whether r is in s.
func (s RegSet) Has(r Reg) bool { return s[r/64]&(1<<(r%64)) != 0 }

// Add puts r into s.
func (s RegSet) Add(r Reg) { s[r/64] |= 1 << (r % 64) }

// Remove takes r out of s.
func (s RegSet) Remove(r Reg) { s[r/64] &^= 1 << (r % 64) }

// Copy makes s equal to t, which has the same capacity.
func (s RegSet) Copy(t RegSet) { copy(s, t) }

// AddAll puts the elements of t into s.
func (s RegSet) AddAll(t RegSet) {
	for n, w := range t {
		s[n] |= w
	}
}

// All calls yield for each element in ascending order.
func (s RegSet) All(yield func(Reg) bool) {
	for n, w := range s {
		for ; w != 0; w &= w - 1 {
			if !yield(Reg(n*64 + bits.TrailingZeros64(w))) {
				return
			}
		}
	}
}

// Liveness tells which registers are live where blocks begin and end. R10 is
// always live and never in a set.
type Liveness struct {
	In, Out []RegSet // by Block.Index
}

// Limit returns the capacity that a set of f's registers needs.
func (f *Func) Limit() Reg { return max(f.NextReg, FirstVirtual) }

// Liveness computes the live registers of f backwards to a fixed point; it
// numbers the blocks. See Appel, Modern Compiler Implementation, 10.1.
func (f *Func) Liveness() *Liveness {
	f.Number()
	n := len(f.Blocks)
	l := &Liveness{In: make([]RegSet, n), Out: make([]RegSet, n)}
	defs := make([]RegSet, n)
	words := int(f.Limit()+63) / 64
	pool := make([]uint64, 3*n*words)
	take := func() RegSet {
		s := RegSet(pool[:words:words])
		pool = pool[words:]
		return s
	}
	for k, b := range f.Blocks {
		l.In[k], l.Out[k], defs[k] = take(), take(), take()
		b.localUses(l.In[k], defs[k])
	}
	f.spread(l, defs)
	return l
}

// localUses adds to uses what b reads before writing it, and to defs what it
// writes.
func (b *Block) localUses(uses, defs RegSet) {
	var buf [8]Reg
	for n := range b.Insns {
		i := &b.Insns[n]
		for _, r := range i.AppendUses(buf[:0]) {
			if r != R10 && !defs.Has(r) {
				uses.Add(r)
			}
		}
		for _, r := range i.AppendDefs(buf[:0]) {
			defs.Add(r)
		}
		if i.Clobbers() {
			for r := R0; r <= R5; r++ {
				defs.Add(r)
			}
		}
	}
}

// spread takes l.In as the local uses and grows In and Out until they hold.
func (f *Func) spread(l *Liveness, defs []RegSet) {
	queued := make([]bool, len(f.Blocks))
	work := f.PostOrder()
	for n := range work {
		queued[work[n].Index] = true
	}
	for len(work) > 0 {
		b := work[0]
		work = work[1:]
		k := b.Index
		queued[k] = false
		if !l.update(b, defs[k]) {
			continue
		}
		for _, p := range b.Preds {
			if !queued[p.Index] {
				queued[p.Index] = true
				work = append(work, p)
			}
		}
	}
}

// update recomputes the sets of b and reports whether In grew.
func (l *Liveness) update(b *Block, defs RegSet) bool {
	in, out := l.In[b.Index], l.Out[b.Index]
	for _, s := range b.Succs {
		out.AddAll(l.In[s.Index])
	}
	grew := false
	for n, w := range out {
		if w = in[n] | w&^defs[n]; w != in[n] {
			in[n] = w
			grew = true
		}
	}
	return grew
}

// PostOrder returns the blocks that the entry reaches, successors first where
// there are no loops. It numbers the blocks.
func (f *Func) PostOrder() []*Block {
	f.Number()
	type frame struct {
		b    *Block
		next int
	}
	seen := make([]bool, len(f.Blocks))
	order := make([]*Block, 0, len(f.Blocks))
	stack := []frame{{b: f.Blocks[0]}}
	seen[0] = true
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next == len(top.b.Succs) {
			order = append(order, top.b)
			stack = stack[:len(stack)-1]
			continue
		}
		s := top.b.Succs[top.next]
		top.next++
		if !seen[s.Index] {
			seen[s.Index] = true
			stack = append(stack, frame{b: s})
		}
	}
	return order
}
