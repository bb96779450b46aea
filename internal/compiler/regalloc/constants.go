package regalloc

import "github.com/waggle-bpf/waggle/internal/compiler/mach"

// This file treats constants and addresses: what loads them into a register that
// is written nowhere else.

// canRemat reports whether i can be computed anywhere with the same result.
func canRemat(i *mach.Insn) bool {
	return i.Op == mach.LDIMM64 || i.Op == mach.LEA || i.IsConstant() || i.IsMove() && i.Src == mach.R10
}

// propagateConstants loads a constant directly instead of moving it from a
// register that always holds it.
func propagateConstants(f *mach.Func) {
	def := onlyDefs(f)
	for _, b := range f.Blocks {
		for n := range b.Insns {
			i := &b.Insns[n]
			if !i.IsMove() {
				continue
			}
			if d := def[i.Src]; d != nil && d.IsConstant() {
				dst, pos := i.Dst, i.Pos
				*i = *d
				i.Dst, i.Pos = dst, pos
			}
		}
	}
}

// constant is what an instruction that canRemat computes.
type constant struct {
	op  mach.Opcode
	imm int64
	sym any
}

func constantOf(i *mach.Insn) constant { return constant{i.Op, i.Imm, i.Sym} }

// shareConstants lets registers that always hold the same constant be one, as
// long as no call comes between: across calls it is cheaper to load it again.
// It looks along chains of blocks that have one predecessor each.
func shareConstants(f *mach.Func) {
	def := onlyDefs(f)
	same := make([]mach.Reg, f.Limit()) // register to what takes its place
	atEnd := make([]map[constant]mach.Reg, len(f.Blocks))
	post := f.PostOrder()
	for n := len(post) - 1; n >= 0; n-- {
		b := post[n]
		known := make(map[constant]mach.Reg)
		if len(b.Preds) == 1 && b.Preds[0].Cold == b.Cold && b.Preds[0].Depth == b.Depth {
			for c, r := range atEnd[b.Preds[0].Index] {
				known[c] = r
			}
		}
		for k := range b.Insns {
			i := &b.Insns[k]
			switch {
			case i.Clobbers():
				clear(known)
			case canRemat(i) && i.Dst.IsVirtual() && def[i.Dst] != nil:
				if r, ok := known[constantOf(i)]; ok {
					same[i.Dst] = r
				} else {
					known[constantOf(i)] = i.Dst
				}
			}
		}
		atEnd[b.Index] = known
	}
	rename(f, same)
}

// rename replaces the operands r of f for which to[r] is not zero. What wrote
// those registers is dead then.
func rename(f *mach.Func, to []mach.Reg) {
	for _, b := range f.Blocks {
		for n := range b.Insns {
			i := &b.Insns[n]
			if t := to[i.Dst]; t != 0 && i.HasDst() && i.ReadsDst() {
				i.Dst = t
			}
			if t := to[i.Src]; t != 0 && i.HasSrc() {
				i.Src = t
			}
		}
	}
}
