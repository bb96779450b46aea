package subset

import (
	"go/token"

	"golang.org/x/tools/go/ssa"
)

// LoopVariable recognises the copy of a loop's variable that go/ssa makes for the
// next iteration where a function literal captures it. It returns the phi of the
// two addresses and the first iteration's variable; nil for any other alloc. As
// nothing keeps the address of an iteration's variable, which package subset sees
// to, all iterations can use the first one.
func LoopVariable(next *ssa.Alloc) (phi *ssa.Phi, first *ssa.Alloc) {
	for _, ref := range *next.Referrers() {
		p, ok := ref.(*ssa.Phi)
		if !ok || len(p.Edges) != 2 {
			continue
		}
		for i, e := range p.Edges {
			other, ok := p.Edges[1-i].(*ssa.Alloc)
			if e == next && ok && other != next && p.Block().Preds[i] == next.Block() && isCopied(next, p) {
				return p, other
			}
		}
	}
	return nil, nil
}

// isCopied reports whether what next points to begins as a copy of what from
// does.
func isCopied(next *ssa.Alloc, from ssa.Value) bool {
	for _, in := range next.Block().Instrs {
		if st, ok := in.(*ssa.Store); ok && st.Addr == next {
			load, ok := st.Val.(*ssa.UnOp)
			return ok && load.Op == token.MUL && load.X == from && load.Block() == next.Block()
		}
	}
	return false
}
