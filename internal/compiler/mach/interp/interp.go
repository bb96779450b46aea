// Package interp runs machine code in Go. It is the oracle of the back end's
// tests: a [mach.Func] with virtual registers, the same function with physical
// ones and its [mach.Code] must all do the same.
//
// It is strict where the kernel's verifier is: reading a register that holds
// nothing, or one that a call destroyed, is an error, and so is memory outside
// of any region.
package interp

import (
	"errors"
	"fmt"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// Machine is what code runs on. The zero value has no memory and no helpers.
type Machine struct {
	// Memory is what loads and stores see besides the stack.
	Memory Memory
	// Call runs helpers and subprograms; args beyond NArgs are zero. Nil
	// makes every call an error.
	Call func(i *mach.Insn, args [5]uint64) (uint64, error)
	// Symbol gives the value of an ldimm64 with a symbol; nil makes it an error.
	Symbol func(sym any, add int64) (uint64, error)
	// Fuel bounds the number of instructions; 0 means a million.
	Fuel int

	regs    map[mach.Reg]uint64
	steps   int
	visited int
}

// ErrFuel is returned when a function runs longer than Machine.Fuel allows.
var ErrFuel = errors.New("out of fuel")

const (
	stackTop  = 0x7fff_0000
	stackSize = 4096 // more than BPF has, for functions before allocation
)

// Steps returns how many instructions the last run executed.
func (m *Machine) Steps() int { return m.steps }

// Run executes f with args in R1 and up and returns R0 at its exit.
func (m *Machine) Run(f *mach.Func, args ...uint64) (uint64, error) {
	m.start(args)
	b := f.Blocks[0]
	for {
		next, err := m.block(b)
		if err != nil {
			return 0, err
		}
		if next == nil {
			return m.get(mach.R0)
		}
		b = next
	}
}

// RunCode executes c, the flat form.
func (m *Machine) RunCode(c *mach.Code, args ...uint64) (uint64, error) {
	m.start(args)
	at := make(map[int]int) // slot to index
	slots := make([]int, len(c.Insns))
	slot := 0
	for n := range c.Insns {
		at[slot], slots[n] = n, slot
		slot += c.Insns[n].Slots()
	}
	for pc := 0; ; {
		if pc >= len(c.Insns) {
			return 0, errors.New("ran off the end")
		}
		i := &c.Insns[pc]
		taken, err := m.step(i)
		if err != nil {
			return 0, fmt.Errorf("%d: %v: %w", slots[pc], i, err)
		}
		switch {
		case i.Op == mach.EXIT:
			return m.get(mach.R0)
		case i.Op == mach.JA || taken:
			to, ok := at[slots[pc]+1+int(i.Off)]
			if !ok {
				return 0, fmt.Errorf("%d: %v: jump between instructions", slots[pc], i)
			}
			pc = to
		default:
			pc++
		}
	}
}

func (m *Machine) start(args []uint64) {
	m.regs = map[mach.Reg]uint64{mach.R10: stackTop}
	m.steps, m.visited = 0, 0
	for n, a := range args {
		m.regs[mach.R1+mach.Reg(n)] = a
	}
	m.Memory.stack = make([]byte, stackSize)
}

// block runs b and returns where to go on, nil at an exit.
func (m *Machine) block(b *mach.Block) (*mach.Block, error) {
	if m.visited++; m.visited > m.fuel() {
		return nil, ErrFuel
	}
	for n := range b.Insns {
		i := &b.Insns[n]
		taken, err := m.step(i)
		if err != nil {
			return nil, fmt.Errorf("%v: %v: %w", b, i, err)
		}
		switch {
		case i.Op == mach.EXIT:
			return nil, nil
		case taken:
			return b.Succs[0], nil
		case i.IsCondJump():
			return b.Succs[1], nil
		}
	}
	return b.Succs[0], nil
}

func (m *Machine) fuel() int {
	if m.Fuel == 0 {
		return 1_000_000
	}
	return m.Fuel
}

func (m *Machine) get(r mach.Reg) (uint64, error) {
	v, ok := m.regs[r]
	if !ok {
		return 0, fmt.Errorf("%v holds nothing", r)
	}
	return v, nil
}

// step runs one instruction and reports whether it is a conditional jump that
// is taken.
func (m *Machine) step(i *mach.Insn) (taken bool, err error) {
	if m.steps++; m.steps > m.fuel() {
		return false, ErrFuel
	}
	switch {
	case i.Op == mach.LEA:
		m.regs[i.Dst] = uint64(stackTop + i.Imm)
		return false, nil
	case i.Op == mach.LDIMM64:
		return false, m.ldimm64(i)
	case i.Op == mach.CALL:
		return false, m.call(i)
	case i.Op == mach.EXIT || i.Op == mach.JA || i.Op == mach.MAYGOTO: // fuel bounds loops here
		return false, nil
	case i.IsCondJump():
		return m.compare(i)
	}
	switch i.Op.Class() {
	case mach.ClassALU, mach.ClassALU64:
		return false, m.alu(i)
	}
	return false, m.memory(i)
}

func (m *Machine) ldimm64(i *mach.Insn) error {
	if i.Sym == nil {
		m.regs[i.Dst] = uint64(i.Imm)
		return nil
	}
	if m.Symbol == nil {
		return errors.New("no symbols")
	}
	v, err := m.Symbol(i.Sym, i.Imm)
	m.regs[i.Dst] = v
	return err
}

func (m *Machine) call(i *mach.Insn) error {
	var args [5]uint64
	for n := range int(i.NArgs) {
		v, err := m.get(mach.R1 + mach.Reg(n))
		if err != nil {
			return err
		}
		args[n] = v
	}
	if m.Call == nil {
		return errors.New("no helpers")
	}
	v, err := m.Call(i, args)
	if err != nil {
		return err
	}
	for r := mach.R1; r <= mach.R5; r++ {
		delete(m.regs, r)
	}
	m.regs[mach.R0] = v
	return nil
}

// operand returns the second operand, sign-extended if it is an immediate.
func (m *Machine) operand(i *mach.Insn) (uint64, error) {
	if i.Op&mach.SrcReg != 0 {
		return m.get(i.Src)
	}
	return uint64(i.Imm), nil
}
