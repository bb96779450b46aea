package mach

import (
	"go/token"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// Reg is a register: physical below NumPhysical, virtual from FirstVirtual.
type Reg uint32

// The physical registers.
const (
	R0 Reg = iota
	R1
	R2
	R3
	R4
	R5
	R6
	R7
	R8
	R9
	R10 // frame pointer
	NumPhysical
)

// FirstVirtual is the lowest virtual register.
const FirstVirtual Reg = 32

// IsVirtual reports whether r still needs a physical register.
func (r Reg) IsVirtual() bool { return r >= FirstVirtual }

// Class is the low three bits of an opcode.
type Class uint8

// The instruction classes.
const (
	ClassLD    Class = 0x00
	ClassLDX   Class = 0x01
	ClassST    Class = 0x02
	ClassSTX   Class = 0x03
	ClassALU   Class = 0x04
	ClassJMP   Class = 0x05
	ClassJMP32 Class = 0x06
	ClassALU64 Class = 0x07
)

// Opcode is the first byte of a BPF instruction.
type Opcode uint8

// Class returns the instruction class.
func (op Opcode) Class() Class { return Class(op & 7) }

// Source bit of ALU and jump opcodes: the operand is a register.
const SrcReg Opcode = 0x08

// ALU operations, to be combined with a class and SrcReg.
const (
	Add  Opcode = 0x00
	Sub  Opcode = 0x10
	Mul  Opcode = 0x20
	Div  Opcode = 0x30
	Or   Opcode = 0x40
	And  Opcode = 0x50
	Lsh  Opcode = 0x60
	Rsh  Opcode = 0x70
	Neg  Opcode = 0x80
	Mod  Opcode = 0x90
	Xor  Opcode = 0xa0
	Mov  Opcode = 0xb0
	Arsh Opcode = 0xc0
	End  Opcode = 0xd0 // with SrcReg: to big endian; without: to little endian; Imm is the width
)

// Jump operations, to be combined with ClassJMP or ClassJMP32 and SrcReg.
const (
	Ja   Opcode = 0x00
	Jeq  Opcode = 0x10
	Jgt  Opcode = 0x20
	Jge  Opcode = 0x30
	Jset Opcode = 0x40
	Jne  Opcode = 0x50
	Jsgt Opcode = 0x60
	Jsge Opcode = 0x70
	Call Opcode = 0x80
	Exit Opcode = 0x90
	Jlt  Opcode = 0xa0
	Jle  Opcode = 0xb0
	Jslt Opcode = 0xc0
	Jsle Opcode = 0xd0
)

// Memory access sizes and modes.
const (
	SizeW  Opcode = 0x00
	SizeH  Opcode = 0x08
	SizeB  Opcode = 0x10
	SizeDW Opcode = 0x18

	ModeIMM    Opcode = 0x00
	ModeMEM    Opcode = 0x60
	ModeMEMSX  Opcode = 0x80 // sign-extending load, ISA v4
	ModeATOMIC Opcode = 0xc0
)

// LDIMM64 is the two-slot load of a 64-bit immediate or of a symbol's address.
const LDIMM64 = Opcode(ClassLD) | SizeDW | ModeIMM

// LEA is a pseudo instruction, dst = R10 + Imm; Layout makes it mov and add.
// It uses an opcode that BPF leaves free.
const LEA Opcode = 0xff

// CALL and EXIT as complete opcodes.
const (
	CALL = Opcode(ClassJMP) | Call
	EXIT = Opcode(ClassJMP) | Exit
	JA   = Opcode(ClassJMP) | Ja
)

// MAYGOTO is may_goto (Linux 6.9): a conditional jump without operands that the
// kernel takes once the function's loops have gone round for long enough. The
// verifier takes both ways to be possible (BPF_JCOND in
// include/uapi/linux/bpf.h).
const MAYGOTO = Opcode(ClassJMP) | 0xe0

// AtomicFetch in Imm makes an atomic return the old value in Src.
const AtomicFetch = 0x01

// Insn is one instruction.
//
// Operands by class:
//   - ALU: Dst = Dst op (Src or Imm); Mov does not read Dst; Neg and End have no second operand
//   - LDX: Dst = [Src+Off]
//   - ST:  [Dst+Off] = Imm;  STX: [Dst+Off] = Src
//   - STX|ATOMIC: Imm is the operation; with AtomicFetch Src is also written
//     (for cmpxchg, Imm 0xf1, R0 is the expected value and receives the old one)
//   - jumps compare Dst with Src or Imm; the target is the block's Succs[0]
//   - CALL: Sym nil is helper number Imm, Sym *ir.Func a subprogram; reads R1 to R(NArgs)
//   - LDIMM64: Sym nil loads Imm; *ir.Map, *ir.Global (plus Imm) and *ir.Func load addresses
type Insn struct {
	Op       Opcode
	Dst, Src Reg
	Off      int16
	Imm      int64
	Sym      any
	NArgs    uint8
	Pos      token.Pos
}

// Block is a basic block; see the package comment for how it ends.
type Block struct {
	ID           int
	Insns        []Insn
	Succs, Preds []*Block
	// Depth is the loop nesting depth: spill costs grow with it.
	Depth int
	// Cold blocks (faults) are laid out last.
	Cold bool
	// goesBack: the block closes a loop and has no jump of its own.
	goesBack bool
	// Index is the position in Func.Blocks as of the last Func.Number.
	Index int
}

// Func is one function.
type Func struct {
	IR      *ir.Func
	Blocks  []*Block // Blocks[0] is the entry
	NextReg Reg      // the next unused virtual register
	// FrameSize is the number of bytes below R10 that are in use: slots
	// first, then whatever spilling adds. A multiple of 8.
	FrameSize int64
}

// Code is a function ready to be written: jumps are resolved into Off, LEA is
// expanded. An LDIMM64 takes two slots: offsets count slots, not elements.
type Code struct {
	Func  *ir.Func
	Insns []Insn
}

// NewReg makes a virtual register.
func (f *Func) NewReg() Reg {
	if f.NextReg < FirstVirtual {
		f.NextReg = FirstVirtual
	}
	r := f.NextReg
	f.NextReg++
	return r
}

// Number sets every block's Index.
func (f *Func) Number() {
	for n, b := range f.Blocks {
		b.Index = n
	}
}

// IsCondJump reports whether i is a conditional jump.
func (i *Insn) IsCondJump() bool {
	c := i.Op.Class()
	if i.Op == LEA || c != ClassJMP && c != ClassJMP32 {
		return false
	}
	op := i.Op & 0xf0
	return op != Ja && op != Call && op != Exit
}

// IsJump reports whether i is a jump, conditional or not, that has a target.
func (i *Insn) IsJump() bool { return i.Op == JA || i.IsCondJump() }

// IsMove reports whether i copies a whole register to another.
func (i *Insn) IsMove() bool {
	return i.Op == Opcode(ClassALU64)|Mov|SrcReg && i.Off == 0
}

// IsPure reports whether all that i does is write a register (Dst), so that it
// can go when nobody reads that.
func (i *Insn) IsPure() bool {
	switch i.Op.Class() {
	case ClassALU, ClassALU64, ClassLDX:
		return true // LEA among them
	}
	return i.Op == LDIMM64
}

// HasDst reports whether Dst is an operand of i, read or written.
func (i *Insn) HasDst() bool {
	return i.Op != CALL && i.Op != EXIT && i.Op != JA && i.Op != MAYGOTO
}

// ReadsDst reports whether i reads the register in its field Dst.
func (i *Insn) ReadsDst() bool {
	switch i.Op.Class() {
	case ClassALU, ClassALU64:
		return i.Op != LEA && i.Op&0xf0 != Mov
	case ClassST, ClassSTX:
		return true
	}
	return i.IsCondJump() && i.Op != MAYGOTO
}

// HasSrc reports whether Src is an operand of i, read or written.
func (i *Insn) HasSrc() bool {
	switch i.Op.Class() {
	case ClassALU, ClassALU64:
		op := i.Op & 0xf0
		return i.Op != LEA && i.Op&SrcReg != 0 && op != End && op != Neg
	case ClassLDX, ClassSTX:
		return true
	case ClassJMP, ClassJMP32:
		return i.IsCondJump() && i.Op&SrcReg != 0
	}
	return false
}

// Slots returns how many 8-byte instruction slots i takes.
func (i *Insn) Slots() int {
	if i.Op == LDIMM64 {
		return 2
	}
	return 1
}

// AppendUses appends the registers that i reads.
func (i *Insn) AppendUses(rs []Reg) []Reg {
	switch {
	case i.Op == LEA || i.Op == LDIMM64:
		return rs
	case i.Op == CALL:
		for r := R1; r < R1+Reg(i.NArgs); r++ {
			rs = append(rs, r)
		}
		return rs
	case i.Op == EXIT:
		return append(rs, R0)
	}
	switch i.Op.Class() {
	case ClassALU, ClassALU64:
		op := i.Op & 0xf0
		if op != Mov {
			rs = append(rs, i.Dst)
		}
		if i.Op&SrcReg != 0 && op != End && op != Neg {
			rs = append(rs, i.Src)
		}
	case ClassLDX:
		rs = append(rs, i.Src)
	case ClassST:
		rs = append(rs, i.Dst)
	case ClassSTX:
		rs = append(rs, i.Dst, i.Src)
		if i.IsCmpXchg() {
			rs = append(rs, R0)
		}
	case ClassJMP, ClassJMP32:
		if i.Op == JA || i.Op == MAYGOTO {
			return rs
		}
		rs = append(rs, i.Dst)
		if i.Op&SrcReg != 0 {
			rs = append(rs, i.Src)
		}
	}
	return rs
}

// AppendDefs appends the registers that i writes. What a call clobbers without
// defining (R1 to R5) is not among them; see Clobbers.
func (i *Insn) AppendDefs(rs []Reg) []Reg {
	switch {
	case i.Op == LEA || i.Op == LDIMM64:
		return append(rs, i.Dst)
	case i.Op == CALL:
		return append(rs, R0)
	}
	switch i.Op.Class() {
	case ClassALU, ClassALU64, ClassLDX:
		rs = append(rs, i.Dst)
	case ClassSTX:
		switch {
		case i.IsCmpXchg():
			rs = append(rs, R0)
		case i.Op&0xe0 == ModeATOMIC && i.Imm&AtomicFetch != 0:
			rs = append(rs, i.Src)
		}
	}
	return rs
}

// IsCmpXchg reports whether i is an atomic compare and exchange.
func (i *Insn) IsCmpXchg() bool {
	return i.Op.Class() == ClassSTX && i.Op&0xe0 == ModeATOMIC && i.Imm == 0xf1
}

// Clobbers reports whether i destroys R0 to R5.
func (i *Insn) Clobbers() bool { return i.Op == CALL }
