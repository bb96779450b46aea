package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// releaseOnFault gives back the references that are held where a fault leaves
// the program: ring buffer records are discarded, sockets released, locks
// dropped. The verifier refuses a program that exits holding any.
func releaseOnFault(f *ir.Func) {
	r := releaser{f: f, in: map[*ir.Block]map[*ir.Value]bool{}}
	if !r.findAcquires() {
		return
	}
	r.solve()
	dom := f.Dominators()
	for _, b := range f.Blocks {
		if b.Term != ir.TermFault {
			continue
		}
		held := r.through(b, r.in[b])
		for _, a := range r.acquires {
			if held[a] && dom.Dominates(a.Block, b) {
				emitRelease(b, a)
			}
		}
	}
}

type releaser struct {
	f        *ir.Func
	acquires []*ir.Value
	in       map[*ir.Block]map[*ir.Value]bool // held at the start of a block
}

func (r *releaser) findAcquires() bool {
	for _, b := range r.f.Blocks {
		for _, v := range b.Values {
			if h, ok := v.Aux.(*ir.HelperCall); ok && (h.Acquires || h.Lock > 0) {
				r.acquires = append(r.acquires, v)
			}
		}
	}
	return len(r.acquires) > 0
}

// solve runs the forward dataflow to its fixed point.
func (r *releaser) solve() {
	po := r.f.Postorder()
	for changed := true; changed; {
		changed = false
		for i := len(po) - 1; i >= 0; i-- {
			b := po[i]
			out := r.through(b, r.in[b])
			for k, s := range b.Succs {
				for a := range out {
					if r.nilOnEdge(b, k, a) {
						continue
					}
					if r.in[s] == nil {
						r.in[s] = map[*ir.Value]bool{}
					}
					if !r.in[s][a] {
						r.in[s][a] = true
						changed = true
					}
				}
			}
		}
	}
}

// through returns what is held at the end of b.
func (r *releaser) through(b *ir.Block, in map[*ir.Value]bool) map[*ir.Value]bool {
	held := map[*ir.Value]bool{}
	for a := range in {
		held[a] = true
	}
	for _, v := range b.Values {
		h, ok := v.Aux.(*ir.HelperCall)
		if !ok {
			continue
		}
		if h.Acquires || h.Lock > 0 {
			held[v] = true
		}
		if h.Releases > 0 {
			delete(held, baseOf(v.Args[h.Releases-1]))
		}
		if h.Lock < 0 {
			for a := range held {
				if a.Aux.(*ir.HelperCall).Lock > 0 {
					delete(held, a)
				}
			}
		}
	}
	return held
}

// baseOf returns the reference that a pointer was derived from.
func baseOf(p *ir.Value) *ir.Value {
	for p.Op == ir.OpPtrAdd || p.Op == ir.OpCopy {
		p = p.Args[0]
	}
	return p
}

// nilOnEdge reports whether the k-th edge of b is taken when a is nil.
func (r *releaser) nilOnEdge(b *ir.Block, k int, a *ir.Value) bool {
	c := b.Control
	if b.Term != ir.TermIf || c.Op != ir.OpEq && c.Op != ir.OpNe || c.Args[0] != a || !c.Args[1].IsConst(0) {
		return false
	}
	return (c.Op == ir.OpEq) == (k == 0)
}

// The helpers that give back.
const (
	helperSpinUnlock     = 94
	helperRingbufDiscard = 133
)

func emitRelease(b *ir.Block, a *ir.Value) {
	h := a.Aux.(*ir.HelperCall)
	id, args := h.ReleaseHelper, []*ir.Value{a}
	if h.Lock > 0 {
		id, args[0] = helperSpinUnlock, a.Args[0]
	}
	if id == helperRingbufDiscard {
		args = append(args, b.Append(ir.OpConst, ir.I64, b.Pos))
	}
	call := b.Append(ir.OpHelper, ir.I64, b.Pos, args...)
	call.Int, call.Aux = id, &ir.HelperCall{Name: "release"}
}
