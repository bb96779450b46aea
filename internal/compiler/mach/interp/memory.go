package interp

import (
	"encoding/binary"
	"fmt"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// Memory is a list of regions that code may read and write.
type Memory struct {
	Regions []Region
	stack   []byte
}

// Region is a piece of memory at address Base.
type Region struct {
	Base  uint64
	Bytes []byte
}

// at returns the n bytes at addr.
func (m *Memory) at(addr uint64, n int) ([]byte, error) {
	if b := within(stackTop-stackSize, m.stack, addr, n); b != nil {
		return b, nil
	}
	for _, r := range m.Regions {
		if b := within(r.Base, r.Bytes, addr, n); b != nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("access of %d bytes at %#x, where there is no memory", n, addr)
}

func within(base uint64, data []byte, addr uint64, n int) []byte {
	off := addr - base
	if off > uint64(len(data)) || uint64(len(data))-off < uint64(n) {
		return nil
	}
	return data[off:][:n]
}

// Bytes returns the n bytes at addr, for helpers that take pointers.
func (m *Machine) Bytes(addr uint64, n int) ([]byte, error) { return m.Memory.at(addr, n) }

var sizes = map[mach.Opcode]int{mach.SizeB: 1, mach.SizeH: 2, mach.SizeW: 4, mach.SizeDW: 8}

func load(b []byte) uint64 {
	var buf [8]byte
	copy(buf[:], b)
	return binary.LittleEndian.Uint64(buf[:])
}

func store(b []byte, v uint64) {
	var buf [8]byte
	binary.LittleEndian.PutUint64(buf[:], v)
	copy(b, buf[:])
}

// memory runs loads, stores and atomics.
func (m *Machine) memory(i *mach.Insn) error {
	base := i.Dst
	if i.Op.Class() == mach.ClassLDX {
		base = i.Src
	}
	addr, err := m.get(base)
	if err != nil {
		return err
	}
	p, err := m.Memory.at(addr+uint64(i.Off), sizes[i.Op&0x18])
	if err != nil {
		return err
	}
	switch i.Op.Class() {
	case mach.ClassLDX:
		v := load(p)
		if i.Op&0xe0 == mach.ModeMEMSX {
			shift := 64 - 8*len(p)
			v = uint64(int64(v<<shift) >> shift)
		}
		m.regs[i.Dst] = v
		return nil
	case mach.ClassST:
		store(p, uint64(i.Imm))
		return nil
	}
	v, err := m.get(i.Src)
	if err != nil {
		return err
	}
	if i.Op&0xe0 == mach.ModeATOMIC {
		return m.atomic(i, p, v)
	}
	store(p, v)
	return nil
}

func (m *Machine) atomic(i *mach.Insn, p []byte, v uint64) error {
	old := load(p)
	if i.IsCmpXchg() {
		want, err := m.get(mach.R0)
		if err != nil {
			return err
		}
		if len(p) == 4 {
			want = uint64(uint32(want))
		}
		if old == want {
			store(p, v)
		}
		m.regs[mach.R0] = old
		return nil
	}
	if op := i.Imm &^ mach.AtomicFetch; op == 0xe0 {
		store(p, v)
	} else {
		store(p, binaryOps[mach.Opcode(op)](old, v, 64))
	}
	if i.Imm&mach.AtomicFetch != 0 {
		m.regs[i.Src] = old
	}
	return nil
}
