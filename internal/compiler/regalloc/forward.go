package regalloc

import (
	"maps"
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// This file cleans up what pieces of the same live range leave where they meet.

// holders maps homes to registers that hold the same value.
type holders map[*home]mach.Reg

// forget drops what is known about r.
func (hs holders) forget(r mach.Reg) {
	for h, s := range hs {
		if s == r {
			delete(hs, h)
		}
	}
}

// forwardHomes removes from allocated code spilling stores of what is in memory
// already, and reads from a register what is still there, along chains of blocks
// that have one predecessor each. This is more than an optimisation: what a
// comparison has told the verifier about a register is not known of the copy in
// memory (before Linux 6.8).
func (a *allocator) forwardHomes() {
	ends := make(map[*mach.Block]holders)
	for _, b := range slices.Backward(a.f.PostOrder()) {
		hs := make(holders)
		if len(b.Preds) == 1 {
			maps.Copy(hs, ends[b.Preds[0]])
		}
		kept := b.Insns[:0]
		for _, i := range b.Insns {
			if hs.step(&i) {
				kept = append(kept, i)
			}
		}
		b.Insns, ends[b] = kept, hs
	}
}

// step updates hs and possibly i; it reports whether i is still needed.
func (hs holders) step(i *mach.Insn) bool {
	h := homeIn(i)
	if h == nil {
		hs.invalidate(i)
		return true
	}
	r, known := hs[h]
	if i.Op.Class() == mach.ClassSTX {
		hs[h] = i.Src
		return !known || r != i.Src
	}
	if known && r == i.Dst {
		return false
	}
	if known {
		*i = mach.Insn{Op: mach.Opcode(mach.ClassALU64) | mach.Mov | mach.SrcReg, Dst: i.Dst, Src: r, Pos: i.Pos}
	}
	hs.forget(i.Dst)
	hs[h] = i.Dst
	return true
}

// invalidate forgets the registers that i changes.
func (hs holders) invalidate(i *mach.Insn) {
	if len(hs) == 0 {
		return
	}
	var buf [4]mach.Reg
	for _, r := range i.AppendDefs(buf[:0]) {
		hs.forget(r)
	}
	if i.Clobbers() {
		for r := mach.R1; r <= mach.R5; r++ {
			hs.forget(r)
		}
	}
}
