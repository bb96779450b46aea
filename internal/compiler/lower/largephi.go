package lower

import (
	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// largePhi gives a large value that control flow chooses a place of its own,
// which the edges into its block fill.
func (f *fn) largePhi(phi *ssa.Phi) rep {
	cur := f.cur
	f.cur = f.entry // above everything, and not among the phis
	s := f.newSlot(phi.Comment, phi.Type())
	f.cur = cur
	return rep{s}
}

// fillLargePhis copies what the large phis of b join into their places. The
// copies of one edge happen at once, so they go through other places where one
// phi's value becomes another's.
func (f *fn) fillLargePhis(b *ssa.BasicBlock, phis []*ssa.Phi, start *ir.Block, index []int) {
	own := map[any]bool{}
	for _, phi := range phis {
		own[f.vals[phi][0].Aux] = true
	}
	for i := range b.Preds {
		if index[i] < 0 {
			continue // go/ssa's edge, but the block ends in a fault here
		}
		f.cur = f.edgeBlock(start, index[i])
		var dsts, srcs []*ir.Value
		direct := true
		for _, phi := range phis {
			dst, src := f.vals[phi][0], f.value(phi.Edges[i])[0]
			if src == dst {
				continue
			}
			dsts, srcs = append(dsts, dst), append(srcs, src)
			direct = direct && !own[root(src).Aux]
		}
		size := func(k int) int64 { return dsts[k].Aux.(*ir.Slot).Size }
		for k := range srcs {
			if !direct {
				between := f.emit(ir.OpSlotAddr, ir.Ptr)
				between.Aux = f.ir.NewSlot("copy", size(k), 8, f.pos)
				f.move(between, srcs[k], size(k))
				srcs[k] = between
			}
		}
		for k := range srcs {
			f.move(dsts[k], srcs[k], size(k))
		}
	}
}

// edgeBlock returns a block that is passed on edge number at into b and on no
// other way.
func (f *fn) edgeBlock(b *ir.Block, at int) *ir.Block {
	p := b.Preds[at]
	if len(p.Succs) == 1 {
		return p
	}
	nth := 0 // which of the parallel edges it is
	for _, q := range b.Preds[:at] {
		if q == p {
			nth++
		}
	}
	mid := f.ir.NewBlock()
	mid.Term, mid.Pos, mid.Succs, mid.Preds = ir.TermJump, p.Pos, []*ir.Block{b}, []*ir.Block{p}
	b.Preds[at] = mid
	for k, s := range p.Succs {
		if s != b {
			continue
		}
		if nth == 0 {
			p.Succs[k] = mid
			break
		}
		nth--
	}
	return mid
}
