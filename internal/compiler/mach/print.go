package mach

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// This file prints code the way bpftool prog dump xlated does, with labels
// instead of numbers as jump targets and v37 for virtual registers. The low
// half of v37 is v37w, of r3 it is w3.

var aluSigns = map[Opcode]string{
	Add: "+=", Sub: "-=", Mul: "*=", Div: "/=", Or: "|=", And: "&=", Lsh: "<<=",
	Rsh: ">>=", Mod: "%=", Xor: "^=", Mov: "=", Arsh: "s>>=",
}

var jumpSigns = map[Opcode]string{
	Jeq: "==", Jgt: ">", Jge: ">=", Jset: "&", Jne: "!=", Jsgt: "s>", Jsge: "s>=",
	Jlt: "<", Jle: "<=", Jslt: "s<", Jsle: "s<=",
}

var sizeNames = map[Opcode]string{SizeB: "u8", SizeH: "u16", SizeW: "u32", SizeDW: "u64"}

// atomicNames maps the operation of an atomic, AtomicFetch removed, to the name
// it has when it fetches and to the sign it has when it does not.
var atomicNames = map[int64]struct{ name, sign string }{
	int64(Add): {"fetch_add", "+="},
	int64(Or):  {"fetch_or", "|="},
	int64(And): {"fetch_and", "&="},
	int64(Xor): {"fetch_xor", "^="},
	0xe0:       {"xchg", ""},
	0xf0:       {"cmpxchg", ""},
}

// String returns r10, v37 and the like.
func (r Reg) String() string {
	if r.IsVirtual() {
		return "v" + strconv.Itoa(int(r))
	}
	return "r" + strconv.Itoa(int(r))
}

// half names the low 32 bits of r.
func (r Reg) half() string {
	if r.IsVirtual() {
		return r.String() + "w"
	}
	return "w" + strconv.Itoa(int(r))
}

func regName(r Reg, wide bool) string {
	if wide {
		return r.String()
	}
	return r.half()
}

// String returns i as one line without its jump target.
func (i *Insn) String() string {
	switch {
	case i.Op == LEA:
		return fmt.Sprintf("%v = fp %+d", i.Dst, i.Imm)
	case i.Op == LDIMM64:
		return fmt.Sprintf("%v = %s ll", i.Dst, i.address())
	case i.Op == CALL:
		return fmt.Sprintf("call %s (%d)", i.callee(), i.NArgs)
	case i.Op == EXIT:
		return "exit"
	}
	switch i.Op.Class() {
	case ClassALU, ClassALU64:
		return i.aluString()
	case ClassJMP, ClassJMP32:
		return i.jumpString()
	}
	return i.memString()
}

func (i *Insn) address() string {
	switch s := i.Sym.(type) {
	case nil:
		return fmt.Sprintf("%#x", uint64(i.Imm))
	case *ir.Map:
		return "map " + s.Name
	case *ir.Global:
		return fmt.Sprintf("global %s%+d", s.Name, i.Imm)
	case *ir.Func:
		return "func " + s.Name
	default:
		return fmt.Sprintf("symbol %v", s)
	}
}

func (i *Insn) callee() string {
	switch s := i.Sym.(type) {
	case nil:
		return fmt.Sprintf("#%d", i.Imm)
	case *ir.Func:
		return s.Name
	default:
		return fmt.Sprint(s)
	}
}

func (i *Insn) operand(wide bool) string {
	if i.Op&SrcReg != 0 {
		return regName(i.Src, wide)
	}
	return strconv.FormatInt(i.Imm, 10)
}

func (i *Insn) aluString() string {
	wide := i.Op.Class() == ClassALU64
	dst := regName(i.Dst, wide)
	op := i.Op & 0xf0
	switch {
	case op == Neg:
		return fmt.Sprintf("%s = -%s", dst, dst)
	case op == End:
		return fmt.Sprintf("%v = %s%d %v", i.Dst, i.endName(), i.Imm, i.Dst)
	case op == Mov && i.Off != 0:
		return fmt.Sprintf("%s = (s%d)%s", dst, i.Off, i.operand(wide))
	case i.Off == 1:
		return fmt.Sprintf("%s s%s %s", dst, aluSigns[op], i.operand(wide))
	}
	return fmt.Sprintf("%s %s %s", dst, aluSigns[op], i.operand(wide))
}

func (i *Insn) endName() string {
	switch {
	case i.Op.Class() == ClassALU64:
		return "bswap"
	case i.Op&SrcReg != 0:
		return "be"
	}
	return "le"
}

func (i *Insn) jumpString() string {
	switch i.Op {
	case JA:
		return "goto"
	case MAYGOTO:
		return "may"
	}
	wide := i.Op.Class() == ClassJMP
	return fmt.Sprintf("if %s %s %s", regName(i.Dst, wide), jumpSigns[i.Op&0xf0], i.operand(wide))
}

func (i *Insn) memString() string {
	size := sizeNames[i.Op&0x18]
	switch i.Op.Class() {
	case ClassLDX:
		if i.Op&0xe0 == ModeMEMSX {
			size = "s" + size[1:]
		}
		return fmt.Sprintf("%v = *(%s *)(%v %+d)", i.Dst, size, i.Src, i.Off)
	case ClassST:
		return fmt.Sprintf("*(%s *)(%v %+d) = %d", size, i.Dst, i.Off, i.Imm)
	case ClassSTX:
		if i.Op&0xe0 == ModeATOMIC {
			return i.atomicString(size)
		}
		return fmt.Sprintf("*(%s *)(%v %+d) = %v", size, i.Dst, i.Off, i.Src)
	}
	return fmt.Sprintf("bad opcode %#x", uint8(i.Op))
}

func (i *Insn) atomicString(size string) string {
	a := atomicNames[i.Imm&^AtomicFetch]
	addr := fmt.Sprintf("(%s *)(%v %+d)", size, i.Dst, i.Off)
	switch {
	case i.IsCmpXchg():
		return fmt.Sprintf("r0 = atomic_%s(%s, r0, %v)", a.name, addr, i.Src)
	case i.Imm&AtomicFetch != 0:
		return fmt.Sprintf("%v = atomic_%s(%s, %v)", i.Src, a.name, addr, i.Src)
	}
	return fmt.Sprintf("lock *%s %s %v", addr, a.sign, i.Src)
}

// String returns the block's label.
func (b *Block) String() string { return "b" + strconv.Itoa(b.ID) }

// String returns f as text, see [Func.WriteTo].
func (f *Func) String() string {
	var sb strings.Builder
	f.write(&sb)
	return sb.String()
}

// WriteTo prints f: its blocks in order with labels, depth and cold marks, one
// instruction a line.
func (f *Func) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, f.String())
	return int64(n), err
}

func (f *Func) write(sb *strings.Builder) {
	name := "?"
	if f.IR != nil {
		name = f.IR.Name
	}
	fmt.Fprintf(sb, "func %s frame %d\n", name, f.FrameSize)
	for n, b := range f.Blocks {
		var next *Block
		if n+1 < len(f.Blocks) {
			next = f.Blocks[n+1]
		}
		b.write(sb, next)
	}
}

func (b *Block) write(sb *strings.Builder, next *Block) {
	fmt.Fprintf(sb, "%v:", b)
	if b.Depth != 0 {
		fmt.Fprintf(sb, " depth %d", b.Depth)
	}
	if b.Cold {
		sb.WriteString(" cold")
	}
	sb.WriteByte('\n')
	for n := range b.Insns {
		i := &b.Insns[n]
		fmt.Fprintf(sb, "\t%v", i)
		if i.IsCondJump() && len(b.Succs) > 0 {
			fmt.Fprintf(sb, " goto %v", b.Succs[0])
		}
		sb.WriteByte('\n')
	}
	if n := len(b.Succs); n > 0 && b.Succs[n-1] != next {
		fmt.Fprintf(sb, "\tgoto %v\n", b.Succs[n-1])
	}
}

// String returns c as text: the slot number before each instruction, jump
// targets as slot numbers.
func (c *Code) String() string {
	var sb strings.Builder
	slot := 0
	for n := range c.Insns {
		i := &c.Insns[n]
		fmt.Fprintf(&sb, "%4d: %v", slot, i)
		if i.IsJump() {
			fmt.Fprintf(&sb, " goto %d", slot+1+int(i.Off))
		}
		sb.WriteByte('\n')
		slot += i.Slots()
	}
	return strings.ReplaceAll(sb.String(), "goto goto", "goto")
}
