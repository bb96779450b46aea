package isel

import (
	"fmt"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// aluOps maps the two-operand operations to their BPF opcodes.
var aluOps = map[ir.Op]mach.Opcode{
	ir.OpAdd: mach.Add, ir.OpSub: mach.Sub, ir.OpMul: mach.Mul,
	ir.OpUDiv: mach.Div, ir.OpUMod: mach.Mod,
	ir.OpAnd: mach.And, ir.OpOr: mach.Or, ir.OpXor: mach.Xor,
	ir.OpShl: mach.Lsh, ir.OpLShr: mach.Rsh, ir.OpAShr: mach.Arsh,
	ir.OpPtrAdd: mach.Add, ir.OpPtrDiff: mach.Sub,
}

// value selects the instructions of one value.
func (s *selector) value(v *ir.Value) {
	if !s.used(v) && !v.Op.HasEffect() {
		return
	}
	if op, ok := aluOps[v.Op]; ok {
		s.alu(op, v)
		return
	}
	switch v.Op {
	case ir.OpPhi, ir.OpParam, ir.OpSpent:
	case ir.OpConst, ir.OpSlotAddr, ir.OpGlobalAddr, ir.OpMapAddr, ir.OpFuncAddr:
	case ir.OpUndef:
		s.emit(mach.Insn{Op: movImm(ir.I64), Dst: s.reg(v)})
	case ir.OpCopy, ir.OpTrunc, ir.OpPtrToInt, ir.OpIntToPtr:
		s.moveTo(s.reg(v), v.Args[0])
	case ir.OpZext:
		s.zext(v)
	case ir.OpSext:
		s.sext(v)
	case ir.OpNeg:
		d := s.reg(v)
		s.moveTo(d, v.Args[0])
		s.emit(mach.Insn{Op: aluImm(mach.Neg, v.Type), Dst: d})
	case ir.OpBswap:
		s.bswap(v)
	case ir.OpEq, ir.OpNe, ir.OpULt, ir.OpULe, ir.OpSLt, ir.OpSLe:
		s.setCond(v)
	case ir.OpLoad, ir.OpVolatile, ir.OpCtxPtr:
		s.load(v)
	case ir.OpStore:
		s.store(v)
	case ir.OpAtomic:
		s.atomic(v)
	case ir.OpHelper, ir.OpCall, ir.OpTailCall:
		s.call(v)
	default:
		panic(fmt.Sprintf("BUG: can't select %s", v.LongString()))
	}
}

// alu selects d = a op b as a move and a two-address operation. The operand
// that dies here goes first if the operation commutes, so that the move goes
// away in coalescing.
func (s *selector) alu(op mach.Opcode, v *ir.Value) {
	a, b := v.Args[0], v.Args[1]
	t := v.Type
	d := s.reg(v)
	if v.Op == ir.OpAnd && t == ir.I64 && b.IsConst(0xffffffff) {
		s.emit(mach.Insn{Op: movReg(ir.I32), Dst: d, Src: s.use(a)})
		return
	}
	if n, ok := immediate(b, t); ok {
		if v.Op == ir.OpPtrAdd && a.Op == ir.OpSlotAddr {
			s.emit(mach.Insn{Op: mach.LEA, Dst: d, Imm: a.Aux.(*ir.Slot).Offset + a.Int + n})
			return
		}
		s.moveTo(d, a)
		s.emit(mach.Insn{Op: aluImm(op, t), Dst: d, Imm: n})
		return
	}
	if v.Op.IsCommutative() && s.uses[b.ID] == 1 && s.uses[a.ID] != 1 && b.Op != ir.OpConst {
		a, b = b, a
	}
	src := s.use(b)
	s.moveTo(d, a)
	s.emit(mach.Insn{Op: aluReg(op, t), Dst: d, Src: src})
}

// immediate returns the constant b if it fits the instruction.
func immediate(b *ir.Value, t ir.Type) (int64, bool) {
	if b.Op != ir.OpConst {
		return 0, false
	}
	if t == ir.I32 {
		return int64(int32(b.Int)), true
	}
	return b.Int, fitsImm(b.Int)
}

// zext widens an I32.
func (s *selector) zext(v *ir.Value) {
	x := v.Args[0]
	d := s.reg(v)
	switch {
	case x.Op == ir.OpConst:
		s.emit(mach.Insn{Op: movImm(ir.I32), Dst: d, Imm: int64(int32(x.Int))})
	case upperZero(x, map[*ir.Value]bool{}):
		s.move(d, s.reg(x))
	default:
		s.emit(mach.Insn{Op: movReg(ir.I32), Dst: d, Src: s.reg(x)})
	}
}

// upperZero reports whether the upper half of x's register is surely clear:
// 32-bit operations and loads clear it.
func upperZero(x *ir.Value, seen map[*ir.Value]bool) bool {
	switch x.Op {
	case ir.OpTrunc, ir.OpParam, ir.OpHelper, ir.OpCall, ir.OpUndef, ir.OpPtrToInt:
		return false
	case ir.OpCopy:
		return upperZero(x.Args[0], seen)
	case ir.OpPhi:
		if seen[x] {
			return true
		}
		seen[x] = true
		for _, a := range x.Args {
			if !upperZero(a, seen) {
				return false
			}
		}
	}
	return x.Type == ir.I32
}

// sext widens an I32 with its sign; BPF before v4 has only shifts for it.
func (s *selector) sext(v *ir.Value) {
	d := s.reg(v)
	s.moveTo(d, v.Args[0])
	s.emit(mach.Insn{Op: aluImm(mach.Lsh, ir.I64), Dst: d, Imm: 32})
	s.emit(mach.Insn{Op: aluImm(mach.Arsh, ir.I64), Dst: d, Imm: 32})
}

func (s *selector) bswap(v *ir.Value) {
	d := s.reg(v)
	s.moveTo(d, v.Args[0])
	s.emit(mach.Insn{Op: mach.End | mach.SrcReg | mach.Opcode(mach.ClassALU), Dst: d, Imm: v.Int})
}

// setCond computes a comparison as 0 or 1.
func (s *selector) setCond(v *ir.Value) {
	d := s.reg(v)
	// The result may not overwrite an operand before the comparison: a
	// register of its own keeps them apart.
	t := s.out.NewReg()
	jump := s.compare(v)
	s.emit(mach.Insn{Op: movImm(ir.I32), Dst: t, Imm: 1})
	s.emit(jump)
	from := s.cur
	no := &mach.Block{ID: len(s.out.Blocks), Depth: from.Depth, Cold: from.Cold}
	join := &mach.Block{ID: no.ID + 1, Depth: from.Depth, Cold: from.Cold}
	s.out.Blocks = append(s.out.Blocks, no, join)
	addEdge(from, join)
	addEdge(from, no)
	addEdge(no, join)
	s.cur = no
	s.emit(mach.Insn{Op: movImm(ir.I32), Dst: t})
	s.cur = join
	s.addrs = map[*ir.Global]mach.Reg{}
	s.move(d, t)
}
