package pass

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// releaseOnFault gives back the references that are held where a fault leaves
// the program: ring buffer records are discarded, sockets released, locks
// dropped. The verifier refuses a program that exits holding any, and one that
// gives back what it does not hold. Where it depends on the way whether a
// reference is held, a pointer of its own is nil on the ways on which it is not.
func releaseOnFault(f *ir.Func) {
	refs := findReferences(f)
	if len(refs.acquires) == 0 {
		return
	}
	var faults []*ir.Block
	for _, b := range f.Blocks {
		if b.Term == ir.TermFault {
			faults = append(faults, b)
		}
	}
	r := releaser{f: f, refs: refs, dom: f.Dominators(), due: map[*ir.Block][]reference{}}
	for _, b := range faults {
		if r.dom.Reachable(b) {
			r.plan(b)
		}
	}
	r.followHeld()
	for _, b := range faults {
		// What was taken last goes first: nothing may be called while a lock is
		// held.
		for _, ref := range slices.Backward(r.due[b]) {
			b = release(b, ref)
		}
	}
}

type releaser struct {
	f    *ir.Func
	refs *references
	dom  *ir.DomTree
	due  map[*ir.Block][]reference
	// unsure are the acquires that some fault may or may not hold.
	unsure []*ir.Value
}

// reference is what must be given back at a fault.
type reference struct {
	acquire *ir.Value
	// ptr is what to give back: nil until it is known.
	ptr *ir.Value
	// test: ptr may be nil.
	test bool
}

// plan finds out what must be given back in fault block b.
func (r *releaser) plan(b *ir.Block) {
	held := r.refs.through(b, r.refs.in[b.ID])
	for i, a := range r.refs.acquires {
		ref := reference{acquire: a, test: held[i] != stateHeld}
		switch {
		case held[i] == stateFree:
			continue
		case held[i]&stateFree == 0 && r.dom.Dominates(a.Block, b):
			ref.ptr = heldPointer(a)
		case !slices.Contains(r.unsure, a):
			r.unsure = append(r.unsure, a)
		}
		r.due[b] = append(r.due[b], ref)
	}
}

// followHeld makes a variable for each acquire that is unsure somewhere: the
// pointer while it is held, else nil. The faults read it.
func (r *releaser) followHeld() {
	if len(r.unsure) == 0 {
		return
	}
	types := make([]ir.Type, len(r.unsure))
	for i := range types {
		types[i] = ir.Ptr
	}
	ssa := newSSABuilder(r.f, types)
	for _, b := range ssa.order {
		var out []*ir.Value
		for _, v := range b.Values {
			out = append(out, v)
			for i, a := range r.unsure {
				switch {
				case v == a:
					ssa.write(b, i, heldPointer(a))
				case r.refs.releases(v, a):
					null := b.NewValue(ir.OpConst, ir.Ptr, v.Pos)
					out = append(out, null)
					ssa.write(b, i, null)
				}
			}
		}
		due := r.due[b]
		for k := range due {
			if due[k].ptr == nil {
				due[k].ptr, due[k].test = ssa.read(b, slices.Index(r.unsure, due[k].acquire)), true
			}
		}
		ssa.leave(b, out)
	}
	ssa.finish()
}

// heldPointer is what acquire a returns, or the lock that it takes.
func heldPointer(a *ir.Value) *ir.Value {
	if a.Aux.(*ir.HelperCall).Lock > 0 {
		return a.Args[0]
	}
	return a
}

// The helpers that give back.
const (
	helperSpinUnlock     = 94
	helperRingbufDiscard = 133
)

// release gives ref back at the end of fault block b and returns the block that
// ends in the fault now.
func release(b *ir.Block, ref reference) *ir.Block {
	last := b
	if ref.test {
		last = b.Func.NewBlock()
		last.Term, last.Fault, last.Pos = ir.TermFault, b.Fault, b.Pos
		null := b.Append(ir.OpConst, ir.Ptr, b.Pos)
		held := b.Append(ir.OpNe, ir.I32, b.Pos, ref.ptr, null)
		give := b.Func.NewBlock()
		give.Pos = b.Pos
		b.SetIf(held, give, last, b.Pos)
		give.SetJump(last)
		b = give
	}
	h := ref.acquire.Aux.(*ir.HelperCall)
	info := &ir.HelperCall{Name: "release", Releases: 1}
	id, args := h.ReleaseHelper, []*ir.Value{ref.ptr}
	switch {
	case h.Lock > 0:
		id, info = helperSpinUnlock, &ir.HelperCall{Name: "release", Lock: -1}
	case id == helperRingbufDiscard:
		args = append(args, b.Append(ir.OpConst, ir.I64, b.Pos))
	}
	call := b.Append(ir.OpHelper, ir.I64, b.Pos, args...)
	call.Int, call.Aux = id, info
	return last
}
