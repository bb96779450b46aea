package object

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// pseudoCall in the source register makes a call one of a subprogram
// (BPF_PSEUDO_CALL).
const pseudoCall mach.Reg = 1

// encodeCode fills the executable sections, relocations included.
func (w *writer) encodeCode() error {
	for _, s := range w.code {
		for _, f := range s.funcs {
			for i := range f.Insns {
				if err := w.encodeInsn(f, &f.Insns[i]); err != nil {
					return fmt.Errorf("function %s: %w", f.Func.Name, err)
				}
			}
		}
	}
	return nil
}

// encodeInsn appends i to its section.
func (w *writer) encodeInsn(f *placedFunc, i *mach.Insn) error {
	imm, src := i.Imm, i.Src
	switch sym := i.Sym.(type) {
	case nil:
	case *ir.Map:
		w.relocate(f, relBPF64_64, w.mapSymbol(sym))
		imm = 0
	case *ir.Global:
		v := w.vars[sym]
		if v == nil {
			panic("BUG: reference to unknown variable " + sym.Name)
		}
		w.relocate(f, relBPF64_64, w.file.sectionSymbol(v.sec))
		imm += v.off
		if imm < 0 || imm > math.MaxInt32 {
			return fmt.Errorf("address of %s%+d is outside its section", sym.Name, i.Imm)
		}
	case *ir.Func:
		target, err := w.subprogram(sym)
		if err != nil {
			return err
		}
		if i.Op == mach.LDIMM64 {
			w.relocate(f, relBPF64_64, w.file.sectionSymbol(target.sec.elf))
			imm = target.off
		} else {
			imm, src = w.callImm(f, target), pseudoCall
		}
	default:
		panic(fmt.Sprintf("BUG: instruction with a %T", sym))
	}
	sec := f.sec.elf
	sec.data = appendInsn(sec.data, i, src, imm)
	return nil
}

// subprogram finds f, which must be callable: in .text.
func (w *writer) subprogram(f *ir.Func) (*placedFunc, error) {
	target := w.funcs[f]
	if target == nil {
		panic("BUG: reference to function without code " + f.Name)
	}
	if f.Prog != nil {
		return nil, fmt.Errorf("refers to %s, which is a program: programs cannot be called", f.Name)
	}
	return target, nil
}

// callImm returns the immediate of a call of target at the end of what f's
// section holds so far, and adds the relocation if one is needed.
func (w *writer) callImm(f, target *placedFunc) int64 {
	if f.sec == target.sec {
		return (target.off-int64(len(f.sec.elf.data)))/insnSize - 1
	}
	w.relocate(f, relBPF64_32, w.file.sectionSymbol(target.sec.elf))
	return target.off/insnSize - 1
}

// relocate adds a relocation for the instruction that is about to be appended.
func (w *writer) relocate(f *placedFunc, typ uint32, sym *elfSymbol) {
	sec := f.sec.elf
	sec.relocs = append(sec.relocs, elfReloc{off: int64(len(sec.data)), typ: typ, sym: sym})
}

// appendInsn appends the encoding of i, one slot or two.
func appendInsn(b []byte, i *mach.Insn, src mach.Reg, imm int64) []byte {
	if i.Op == mach.LEA || i.Dst >= mach.NumPhysical || src >= mach.NumPhysical {
		panic("BUG: pseudo instruction or virtual register in laid-out code")
	}
	wide := i.Op == mach.LDIMM64
	if !wide && (imm < math.MinInt32 || imm > math.MaxUint32) {
		panic(fmt.Sprintf("BUG: immediate %#x does not fit", imm))
	}
	b = append(b, byte(i.Op), byte(src)<<4|byte(i.Dst))
	b = binary.LittleEndian.AppendUint16(b, uint16(i.Off))
	b = binary.LittleEndian.AppendUint32(b, uint32(imm))
	if wide {
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(imm>>32))
	}
	return b
}
