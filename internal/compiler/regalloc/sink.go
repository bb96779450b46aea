package regalloc

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// This file moves spilling stores behind branches.

// sinkStores moves stores from the end of a block to those of its successors that
// read them: where only one does, the other way gets shorter; where the branch
// compares what is stored, the verifier then knows what it learned by that, in the
// slot too. Before Linux 6.8, a comparison says nothing about what was stored
// before.
func (a *allocator) sinkStores() {
	in, _ := a.liveHomes()
	post := a.f.PostOrder()
	for _, b := range slices.Backward(post) {
		for n := len(b.Insns) - 2; n >= 0; n-- {
			i := b.Insns[n]
			h := homeIn(&i)
			if h == nil || i.Op.Class() != mach.ClassSTX || !reachesEnd(b, n) {
				continue
			}
			to := readers(b, in, mach.Reg(h.id))
			if len(to) == 0 || len(to) == 2 && !compares(b, i.Src) {
				continue
			}
			if slices.ContainsFunc(to, func(s *mach.Block) bool { return len(s.Preds) > 1 || s.Depth > b.Depth }) {
				continue
			}
			b.Insns = slices.Delete(b.Insns, n, n+1)
			for _, s := range to {
				s.Insns = slices.Insert(s.Insns, 0, i)
				in[s.Index].Remove(mach.Reg(h.id))
			}
		}
	}
}

// readers returns the successors of b that read home id, if b branches.
func readers(b *mach.Block, in []set, id mach.Reg) []*mach.Block {
	if len(b.Succs) < 2 || b.Succs[0] == b.Succs[1] {
		return nil
	}
	var to []*mach.Block
	for _, s := range b.Succs {
		if in[s.Index].Has(id) {
			to = append(to, s)
		}
	}
	return to
}

// compares reports whether the branch at the end of b compares r.
func compares(b *mach.Block, r mach.Reg) bool {
	j := &b.Insns[len(b.Insns)-1]
	return j.IsCondJump() && slices.Contains(j.AppendUses(nil), r)
}

// reachesEnd reports whether the store at n of b can as well be at the end: nothing
// behind it changes what it stores, or uses its home.
func reachesEnd(b *mach.Block, n int) bool {
	h, r := homeIn(&b.Insns[n]), b.Insns[n].Src
	var buf [8]mach.Reg
	for k := n + 1; k < len(b.Insns); k++ {
		i := &b.Insns[k]
		if homeIn(i) == h || i.Clobbers() && r <= mach.R5 || slices.Contains(i.AppendDefs(buf[:0]), r) {
			return false
		}
	}
	return true
}
