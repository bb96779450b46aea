package regalloc

import "github.com/waggle-bpf/waggle/internal/compiler/mach"

// This file improves the code for the sake of allocation.

// prepare turns f into a form that needs fewer registers and moves.
func prepare(f *mach.Func) {
	f.FrameSize = (f.FrameSize + 7) &^ 7
	f.Simplify()
	f.MergeTails()
	f.HoistConstants()
	propagateConstants(f)
	shareConstants(f)
	commute(f)
	f.RemoveDead()
	renumber(f, nil)
}

// onlyDefs returns each virtual register's only definition, nil for those with
// several.
func onlyDefs(f *mach.Func) []*mach.Insn {
	def := make([]*mach.Insn, f.Limit())
	many := make([]bool, f.Limit())
	var buf [8]mach.Reg
	for _, b := range f.Blocks {
		for n := range b.Insns {
			i := &b.Insns[n]
			for _, r := range i.AppendDefs(buf[:0]) {
				if def[r] != nil {
					many[r] = true
				}
				def[r] = i
			}
		}
	}
	for r, m := range many {
		if m || r < int(mach.FirstVirtual) {
			def[r] = nil
		}
	}
	return def
}

// commute turns `d = a; d op= b` into `d = b; d op= a` where a lives on and b
// does not, so that d and b can share a register.
func commute(f *mach.Func) {
	live := f.Liveness()
	var buf [8]mach.Reg
	for _, b := range f.Blocks {
		now := live.Out[b.Index]
		for n := len(b.Insns) - 1; n > 0; n-- {
			i, m := &b.Insns[n], &b.Insns[n-1]
			if isCommutative(i) && m.IsMove() && m.Dst == i.Dst && i.Src != i.Dst &&
				now.Has(m.Src) && !now.Has(i.Src) && i.Src.IsVirtual() {
				m.Src, i.Src = i.Src, m.Src
			}
			for _, r := range i.AppendDefs(buf[:0]) {
				now.Remove(r)
			}
			for _, r := range i.AppendUses(buf[:0]) {
				if r != mach.R10 {
					now.Add(r)
				}
			}
		}
	}
}

func isCommutative(i *mach.Insn) bool {
	if c := i.Op.Class(); c != mach.ClassALU && c != mach.ClassALU64 || i.Op == mach.LEA || i.Op&mach.SrcReg == 0 {
		return false
	}
	switch i.Op & 0xf0 {
	case mach.Add, mach.Mul, mach.And, mach.Or, mach.Xor:
		return true
	}
	return false
}
