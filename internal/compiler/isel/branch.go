package isel

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// condition is a jump opcode and the one to use with swapped operands.
type condition struct{ op, swapped mach.Opcode }

var conditions = map[ir.Op]condition{
	ir.OpEq:  {mach.Jeq, mach.Jeq},
	ir.OpNe:  {mach.Jne, mach.Jne},
	ir.OpULt: {mach.Jlt, mach.Jgt},
	ir.OpULe: {mach.Jle, mach.Jge},
	ir.OpSLt: {mach.Jslt, mach.Jsgt},
	ir.OpSLe: {mach.Jsle, mach.Jsge},
}

// branch selects a conditional jump to Succs[0].
func (s *selector) branch(b *ir.Block) {
	c := b.Control
	if c.Op.IsCompare() {
		s.emit(s.compare(c))
		return
	}
	if c.Op == ir.OpSpent {
		s.emit(mach.Insn{Op: mach.MAYGOTO})
		return
	}
	op := mach.Jne | mach.Opcode(mach.ClassJMP32)
	if c.Type != ir.I32 {
		op = mach.Jne | mach.Opcode(mach.ClassJMP)
	}
	s.emit(mach.Insn{Op: op, Dst: s.use(c)})
}

// compare returns the jump that is taken where comparison v holds, with its
// operands in registers.
func (s *selector) compare(v *ir.Value) mach.Insn {
	a, b := v.Args[0], v.Args[1]
	cond := conditions[v.Op]
	op := cond.op
	if b.Op != ir.OpConst && (a.Op == ir.OpConst || counts(a)) {
		a, b, op = b, a, cond.swapped
	}
	class := mach.Opcode(mach.ClassJMP)
	if a.Type == ir.I32 {
		class = mach.Opcode(mach.ClassJMP32)
	}
	if b.Op == ir.OpConst && (a.Type == ir.I32 || fitsImm(b.Int)) {
		return mach.Insn{Op: op | class, Dst: s.use(a), Imm: int64(int32(b.Int))}
	}
	return mach.Insn{Op: op | class | mach.SrcReg, Dst: s.use(a), Src: s.use(b)}
}

// counts reports whether v is the counter of a loop, or its next value. The
// verifier knows it in each round, but before Linux 6.8 it decides a comparison of
// two registers only if the second one is known: else it would go on with rounds
// that never take place.
func counts(v *ir.Value) bool {
	for v.Op == ir.OpZext || v.Op == ir.OpTrunc || v.Op == ir.OpAnd && v.Args[1].Op == ir.OpConst { // of a narrow one
		v = v.Args[0]
	}
	if v.Op == ir.OpAdd && v.Args[1].Op == ir.OpConst {
		v = v.Args[0]
	}
	return v.Op == ir.OpPhi && slices.ContainsFunc(v.Args, func(a *ir.Value) bool {
		return a.Op == ir.OpAdd && a.Args[0] == v && a.Args[1].Op == ir.OpConst
	})
}

// phiMoves gives the phis of b's successor their values: all at once, so a
// register that is both source and target is saved first.
func (s *selector) phiMoves(b *ir.Block) {
	t := b.Succs[0]
	i := t.PredIndex(b)
	var dsts, srcs []mach.Reg
	var consts []*ir.Value
	var constDsts []mach.Reg
	for _, phi := range t.Phis() {
		if !s.used(phi) {
			continue
		}
		a := phi.Args[i]
		if folds(phi, i, a) {
			consts, constDsts = append(consts, a), append(constDsts, s.reg(phi))
			continue
		}
		if r := s.reg(a); r != s.reg(phi) {
			dsts, srcs = append(dsts, s.reg(phi)), append(srcs, r)
		}
	}
	s.parallelMove(dsts, srcs)
	for k, c := range consts {
		s.moveTo(constDsts[k], c)
	}
}

// parallelMove performs dsts[k] = srcs[k] for all k at once: a move whose
// target nobody still reads may go first; when only cycles are left, one
// register is saved.
func (s *selector) parallelMove(dsts, srcs []mach.Reg) {
	for len(dsts) > 0 {
		ready := -1
		for k, d := range dsts {
			if !containsReg(srcs, d) {
				ready = k
				break
			}
		}
		if ready < 0 {
			saved := s.out.NewReg()
			s.move(saved, dsts[0])
			for k := range srcs {
				if srcs[k] == dsts[0] {
					srcs[k] = saved
				}
			}
			continue
		}
		s.move(dsts[ready], srcs[ready])
		dsts = append(dsts[:ready:ready], dsts[ready+1:]...)
		srcs = append(srcs[:ready:ready], srcs[ready+1:]...)
	}
}

func containsReg(list []mach.Reg, r mach.Reg) bool {
	for _, x := range list {
		if x == r {
			return true
		}
	}
	return false
}
