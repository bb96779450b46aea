package regalloc

import "github.com/waggle-bpf/waggle/internal/compiler/mach"

// This file finds registers that hold the same value. Two such registers can
// share a place although both live, so a move makes its destination interfere
// only with registers whose value differs from the source's (Chaitin's exception
// for the source itself, extended by the values of Boissinot et al., Revisiting
// Out-of-SSA Translation, CGO 2009).

// equalities says which registers hold equal values at some point: those with
// the same token. A register without one is only known to equal itself.
type equalities struct {
	token map[mach.Reg]int
	next  int
}

func (e *equalities) fresh() int {
	e.next++
	return e.next
}

// move records dst = src.
func (e *equalities) move(dst, src mach.Reg) {
	if dst == src {
		return
	}
	t, ok := e.token[src]
	if !ok {
		t = e.fresh()
		e.token[src] = t
	}
	e.token[dst] = t
}

// twins returns, for each move in f that needs it, the registers besides its
// source that hold the source's value. It looks along chains of blocks that have
// one predecessor each. Of equal registers, it may miss some.
func twins(f *mach.Func, live *mach.Liveness) map[*mach.Insn][]mach.Reg {
	out := make(map[*mach.Insn][]mach.Reg)
	atEnd := make([]map[mach.Reg]int, len(f.Blocks))
	e := &equalities{}
	post := f.PostOrder()
	for n := len(post) - 1; n >= 0; n-- {
		b := post[n]
		e.token = make(map[mach.Reg]int)
		if len(b.Preds) == 1 {
			e.inherit(atEnd[b.Preds[0].Index], live.In[b.Index])
		}
		for k := range b.Insns {
			e.insn(&b.Insns[k], out)
		}
		atEnd[b.Index] = e.token
	}
	return out
}

// inherit takes over what is known at the end of a predecessor about registers
// that live.
func (e *equalities) inherit(from map[mach.Reg]int, live mach.RegSet) {
	for r, t := range from {
		if live.Has(r) {
			e.token[r] = t
		}
	}
}

// insn updates e behind i and, if i is a move, notes the twins of its source.
// What a call destroys stays in e: it does not live, so nobody asks.
func (e *equalities) insn(i *mach.Insn, out map[*mach.Insn][]mach.Reg) {
	if i.IsMove() && i.Src != mach.R10 {
		if t, ok := e.token[i.Src]; ok {
			for r, u := range e.token {
				if u == t && r != i.Src && r != i.Dst {
					out[i] = append(out[i], r)
				}
			}
		}
		e.move(i.Dst, i.Src)
		return
	}
	var buf [8]mach.Reg
	for _, r := range i.AppendDefs(buf[:0]) {
		delete(e.token, r)
	}
}
