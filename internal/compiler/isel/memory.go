package isel

import (
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// sizeBits are the width bits of memory opcodes, by size in bytes.
var sizeBits = map[int64]mach.Opcode{1: mach.SizeB, 2: mach.SizeH, 4: mach.SizeW, 8: mach.SizeDW}

// address splits a pointer and offset into a base register and a 16-bit
// displacement.
func (s *selector) address(p *ir.Value, off int64) (mach.Reg, int16) {
	switch p.Op {
	case ir.OpSlotAddr:
		return mach.R10, int16(p.Aux.(*ir.Slot).Offset + p.Int + off)
	case ir.OpGlobalAddr:
		if total := p.Int + off; fitsOff(total) {
			return s.globalBase(p.Aux.(*ir.Global)), int16(total)
		}
	}
	if fitsOff(off) {
		return s.use(p), int16(off)
	}
	d := s.out.NewReg()
	s.moveTo(d, p)
	s.emit(mach.Insn{Op: aluImm(mach.Add, ir.I64), Dst: d, Imm: off})
	return d, 0
}

func widthOf(v *ir.Value, t ir.Type) int64 {
	if w, ok := v.Aux.(ir.Type); ok {
		return w.Size()
	}
	return t.Size()
}

func (s *selector) load(v *ir.Value) {
	n := widthOf(v, v.Type)
	if v.Op == ir.OpCtxPtr {
		n = 4 // the verifier makes it a pointer
	}
	base, off := s.address(v.Args[0], v.Int)
	s.emit(mach.Insn{Op: mach.Opcode(mach.ClassLDX) | mach.ModeMEM | sizeBits[n], Dst: s.regOrScratch(v), Src: base, Off: off})
}

// regOrScratch is where the result of an instruction with effects goes even if
// nobody wants it.
func (s *selector) regOrScratch(v *ir.Value) mach.Reg {
	if s.used(v) {
		return s.reg(v)
	}
	return s.out.NewReg()
}

func (s *selector) store(v *ir.Value) {
	x := v.Args[1]
	n := widthOf(v, x.Type)
	if x.Op == ir.OpConst && (n < 8 || fitsImm(x.Int)) && !v.Args[0].IsContext() { // Linux 6.4 stores constants there too
		base, off := s.address(v.Args[0], v.Int)
		s.emit(mach.Insn{Op: mach.Opcode(mach.ClassST) | mach.ModeMEM | sizeBits[n], Dst: base, Off: off, Imm: int64(int32(x.Int))})
		return
	}
	src := s.use(x)
	base, off := s.address(v.Args[0], v.Int)
	s.emit(mach.Insn{Op: mach.Opcode(mach.ClassSTX) | mach.ModeMEM | sizeBits[n], Dst: base, Src: src, Off: off})
}

// atomicImm is the operation in an atomic instruction's immediate.
var atomicImm = map[ir.AtomicOp]int64{
	ir.AtomicAdd: 0x00, ir.AtomicOr: 0x40, ir.AtomicAnd: 0x50, ir.AtomicXor: 0xa0,
	ir.AtomicXchg: 0xe0 | mach.AtomicFetch, ir.AtomicCmpXchg: 0xf0 | mach.AtomicFetch,
}

// atomic selects the form that returns the old value only where it is used:
// the plain forms are older than Linux 5.12 and cheaper.
func (s *selector) atomic(v *ir.Value) {
	op := v.Aux.(ir.AtomicOp)
	t := v.Args[1].Type
	code := mach.Opcode(mach.ClassSTX) | mach.ModeATOMIC | sizeBits[t.Size()]
	imm := atomicImm[op]
	if op == ir.AtomicCmpXchg {
		src := s.use(v.Args[2])
		base, off := s.address(v.Args[0], v.Int)
		s.moveTo(mach.R0, v.Args[1])
		s.emit(mach.Insn{Op: code, Dst: base, Src: src, Off: off, Imm: imm})
		if s.used(v) {
			s.move(s.reg(v), mach.R0)
		}
		return
	}
	if !s.used(v) && op != ir.AtomicXchg {
		src := s.use(v.Args[1])
		base, off := s.address(v.Args[0], v.Int)
		s.emit(mach.Insn{Op: code, Dst: base, Src: src, Off: off, Imm: imm})
		return
	}
	d := s.regOrScratch(v)
	base, off := s.address(v.Args[0], v.Int)
	s.moveTo(d, v.Args[1])
	s.emit(mach.Insn{Op: code, Dst: base, Src: d, Off: off, Imm: imm | mach.AtomicFetch})
}

// helperTailCall is BPF_FUNC_tail_call.
const helperTailCall = 12

// call passes the arguments in R1 to R5 and takes the result from R0.
// Registers are moved before constants are loaded, so that an argument register
// is not taken while another argument may still be in it.
func (s *selector) call(v *ir.Value) {
	for i, a := range v.Args {
		if !folds(v, i, a) {
			s.move(mach.R1+mach.Reg(i), s.reg(a))
		}
	}
	for i, a := range v.Args {
		if folds(v, i, a) {
			s.moveTo(mach.R1+mach.Reg(i), a)
		}
	}
	in := mach.Insn{Op: mach.CALL, NArgs: uint8(len(v.Args))}
	switch v.Op {
	case ir.OpCall:
		in.Sym = v.Aux.(*ir.Func)
	case ir.OpTailCall:
		in.Imm = helperTailCall
	default:
		in.Imm = v.Int
	}
	s.emit(in)
	if s.used(v) {
		s.move(s.reg(v), mach.R0)
	}
}
