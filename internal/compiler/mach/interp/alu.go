package interp

import (
	"fmt"
	"math/bits"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// This file is the arithmetic of
// Documentation/bpf/standardization/instruction-set.rst.

var binaryOps = map[mach.Opcode]func(a, b, width uint64) uint64{
	mach.Add: func(a, b, _ uint64) uint64 { return a + b },
	mach.Sub: func(a, b, _ uint64) uint64 { return a - b },
	mach.Mul: func(a, b, _ uint64) uint64 { return a * b },
	mach.Or:  func(a, b, _ uint64) uint64 { return a | b },
	mach.And: func(a, b, _ uint64) uint64 { return a & b },
	mach.Xor: func(a, b, _ uint64) uint64 { return a ^ b },
	mach.Mov: func(_, b, _ uint64) uint64 { return b },
	mach.Lsh: func(a, b, width uint64) uint64 { return a << (b & (width - 1)) },
	mach.Rsh: func(a, b, width uint64) uint64 { return a >> (b & (width - 1)) },
	mach.Arsh: func(a, b, width uint64) uint64 {
		if width == 32 {
			return uint64(int32(a) >> (b & 31))
		}
		return uint64(int64(a) >> (b & 63))
	},
	mach.Div: func(a, b, _ uint64) uint64 {
		if b == 0 {
			return 0
		}
		return a / b
	},
	mach.Mod: func(a, b, _ uint64) uint64 {
		if b == 0 {
			return a
		}
		return a % b
	},
}

func (m *Machine) alu(i *mach.Insn) error {
	op := i.Op & 0xf0
	var a, b uint64
	var err error
	if op != mach.Mov {
		if a, err = m.get(i.Dst); err != nil {
			return err
		}
	}
	switch op {
	case mach.End:
		m.regs[i.Dst] = swap(i, a)
		return nil
	case mach.Neg:
		a, b, op = 0, a, mach.Sub
	default:
		if b, err = m.operand(i); err != nil {
			return err
		}
	}
	fn := binaryOps[op]
	if fn == nil || i.Off != 0 {
		return fmt.Errorf("operation %#x not supported", op)
	}
	if i.Op.Class() == mach.ClassALU64 {
		m.regs[i.Dst] = fn(a, b, 64)
	} else {
		m.regs[i.Dst] = uint64(uint32(fn(uint64(uint32(a)), uint64(uint32(b)), 32)))
	}
	return nil
}

// swap is End on a little-endian machine.
func swap(i *mach.Insn, a uint64) uint64 {
	if i.Op.Class() == mach.ClassALU64 || i.Op&mach.SrcReg != 0 {
		switch i.Imm {
		case 16:
			return uint64(bits.ReverseBytes16(uint16(a)))
		case 32:
			return uint64(bits.ReverseBytes32(uint32(a)))
		}
		return bits.ReverseBytes64(a)
	}
	return a << (64 - i.Imm) >> (64 - i.Imm)
}

var compares = map[mach.Opcode]func(a, b uint64, c, d int64) bool{
	mach.Jeq:  func(a, b uint64, _, _ int64) bool { return a == b },
	mach.Jne:  func(a, b uint64, _, _ int64) bool { return a != b },
	mach.Jgt:  func(a, b uint64, _, _ int64) bool { return a > b },
	mach.Jge:  func(a, b uint64, _, _ int64) bool { return a >= b },
	mach.Jlt:  func(a, b uint64, _, _ int64) bool { return a < b },
	mach.Jle:  func(a, b uint64, _, _ int64) bool { return a <= b },
	mach.Jset: func(a, b uint64, _, _ int64) bool { return a&b != 0 },
	mach.Jsgt: func(_, _ uint64, c, d int64) bool { return c > d },
	mach.Jsge: func(_, _ uint64, c, d int64) bool { return c >= d },
	mach.Jslt: func(_, _ uint64, c, d int64) bool { return c < d },
	mach.Jsle: func(_, _ uint64, c, d int64) bool { return c <= d },
}

func (m *Machine) compare(i *mach.Insn) (bool, error) {
	a, err := m.get(i.Dst)
	if err != nil {
		return false, err
	}
	b, err := m.operand(i)
	if err != nil {
		return false, err
	}
	fn := compares[i.Op&0xf0]
	if i.Op.Class() == mach.ClassJMP32 {
		return fn(uint64(uint32(a)), uint64(uint32(b)), int64(int32(a)), int64(int32(b))), nil
	}
	return fn(a, b, int64(a), int64(b)), nil
}
