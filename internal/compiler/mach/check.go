package mach

import (
	"errors"
	"fmt"
	"math"
)

// This file is the verifier of this level: it runs between the steps of the
// back end in tests and whenever a compiler bug is suspected.

// Check verifies that f is what the package comment says: how blocks end, edges
// that agree, operands that exist, registers written before they are read on
// every path, nothing read from R1 to R5 behind a call, R10 never written.
func (f *Func) Check() error { return f.check(false) }

// CheckAllocated verifies what [Func.Check] does, and that every register is
// physical and the frame fits.
func (f *Func) CheckAllocated() error { return f.check(true) }

// MaxFrame is the size of the stack of a whole call chain; kernel
// include/linux/filter.h, MAX_BPF_STACK.
const MaxFrame = 512

func (f *Func) check(physical bool) error {
	if len(f.Blocks) == 0 {
		return errors.New("check function: no blocks")
	}
	f.Number()
	if physical && (f.FrameSize > MaxFrame || f.FrameSize%8 != 0) {
		return fmt.Errorf("check function: frame size %d", f.FrameSize)
	}
	if len(f.Blocks[0].Preds) > 0 {
		return errors.New("check function: the entry has predecessors")
	}
	for _, b := range f.Blocks {
		if err := f.checkBlock(b, physical); err != nil {
			return err
		}
	}
	return f.checkDefined()
}

func (f *Func) checkBlock(b *Block, physical bool) error {
	if err := f.checkEdges(b); err != nil {
		return err
	}
	for n := range b.Insns {
		i := &b.Insns[n]
		err := i.check(physical, f.NextReg)
		if err == nil && n < len(b.Insns)-1 && (i.IsCondJump() || i.Op == EXIT) {
			err = errors.New("in the middle of a block")
		}
		if err != nil {
			return fmt.Errorf("check %v, %v: %w", b, i, err)
		}
	}
	return nil
}

// checkEdges verifies that the number of successors fits the last instruction
// and that successors and predecessors mirror each other.
func (f *Func) checkEdges(b *Block) error {
	want := 1
	if n := len(b.Insns); n > 0 {
		switch last := &b.Insns[n-1]; {
		case last.Op == EXIT:
			want = 0
		case last.IsCondJump():
			want = 2
		}
	}
	if len(b.Succs) != want {
		return fmt.Errorf("check %v: %d successors, want %d", b, len(b.Succs), want)
	}
	for _, s := range b.Succs {
		if !f.owns(s) {
			return fmt.Errorf("check %v: successor %v is not in the function", b, s)
		}
		if count(s.Preds, b) != count(b.Succs, s) {
			return fmt.Errorf("check %v: edge to %v is not mirrored in its predecessors", b, s)
		}
	}
	for _, p := range b.Preds {
		if !f.owns(p) || count(p.Succs, b) == 0 {
			return fmt.Errorf("check %v: %v is no predecessor", b, p)
		}
	}
	return nil
}

func (f *Func) owns(b *Block) bool {
	return b != nil && b.Index < len(f.Blocks) && f.Blocks[b.Index] == b
}

func count(bs []*Block, b *Block) int {
	n := 0
	for _, c := range bs {
		if c == b {
			n++
		}
	}
	return n
}

// check verifies i by itself.
func (i *Insn) check(physical bool, limit Reg) error {
	if err := i.checkOp(); err != nil {
		return err
	}
	if i.HasDst() {
		if err := checkReg(i.Dst, physical, limit); err != nil {
			return err
		}
	}
	if i.HasSrc() {
		if err := checkReg(i.Src, physical, limit); err != nil {
			return err
		}
	}
	var buf [4]Reg
	for _, r := range i.AppendDefs(buf[:0]) {
		if r == R10 {
			return errors.New("writes r10")
		}
	}
	if i.Op != LDIMM64 && (i.Imm < math.MinInt32 || i.Imm > math.MaxInt32) {
		return errors.New("immediate does not fit in 32 bits")
	}
	return nil
}

func checkReg(r Reg, physical bool, limit Reg) error {
	switch {
	case r < NumPhysical:
		return nil
	case physical:
		return fmt.Errorf("%v is not physical", r)
	case r < FirstVirtual || r >= limit:
		return fmt.Errorf("no register %d", uint32(r))
	}
	return nil
}

// checkOp verifies the opcode and the operands that depend on it.
func (i *Insn) checkOp() error {
	switch {
	case i.Op == LEA || i.Op == LDIMM64 || i.Op == EXIT || i.Op == MAYGOTO:
		return nil
	case i.Op == CALL:
		if i.NArgs > 5 {
			return errors.New("more than five arguments")
		}
		return nil
	case i.Op == JA:
		return errors.New("explicit jump in a block")
	}
	op, mode, ok := i.Op&0xf0, i.Op&0xe0, false
	switch i.Op.Class() {
	case ClassALU, ClassALU64:
		_, ok = aluSigns[op]
		ok = ok || op == Neg || op == End && (i.Imm == 16 || i.Imm == 32 || i.Imm == 64)
	case ClassJMP, ClassJMP32:
		_, ok = jumpSigns[op]
	case ClassLDX:
		ok = mode == ModeMEM || mode == ModeMEMSX
	case ClassST:
		ok = mode == ModeMEM
	case ClassSTX:
		ok = mode == ModeMEM || mode == ModeATOMIC && i.goodAtomic()
	}
	if !ok {
		return fmt.Errorf("bad opcode %#x", uint8(i.Op))
	}
	return nil
}

func (i *Insn) goodAtomic() bool {
	a, ok := atomicNames[i.Imm&^AtomicFetch]
	size := i.Op & 0x18
	return ok && (size == SizeW || size == SizeDW) && (a.sign != "" || i.Imm&AtomicFetch != 0)
}

// checkDefined verifies that no path reaches a read before a write: forwards,
// the intersection over the predecessors.
func (f *Func) checkDefined() error {
	work := f.PostOrder()
	out := make([]RegSet, len(f.Blocks)) // nil: not reached yet
	for changed := true; changed; {
		changed = false
		for n := len(work) - 1; n >= 0; n-- {
			b := work[n]
			s := f.definedAt(b, out)
			b.define(s, nil)
			if out[b.Index] == nil || !equalSets(out[b.Index], s) {
				out[b.Index] = s
				changed = true
			}
		}
	}
	for n := len(work) - 1; n >= 0; n-- {
		var err error
		b := work[n]
		b.define(f.definedAt(b, out), func(i *Insn, r Reg) {
			if err == nil {
				err = fmt.Errorf("check %v, %v: %v is read but not written on every path", b, i, r)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func equalSets(a, b RegSet) bool {
	for n := range a {
		if a[n] != b[n] {
			return false
		}
	}
	return true
}

// definedAt returns what is written on every path to the start of b.
func (f *Func) definedAt(b *Block, out []RegSet) RegSet {
	s := NewRegSet(f.Limit())
	if b.Index == 0 {
		f.defineParams(s)
		return s
	}
	first := true
	for _, p := range b.Preds {
		switch o := out[p.Index]; {
		case o == nil:
		case first:
			s.Copy(o)
			first = false
		default:
			for n := range s {
				s[n] &= o[n]
			}
		}
	}
	return s
}

func (f *Func) defineParams(s RegSet) {
	n := 5
	if f.IR != nil {
		n = min(n, len(f.IR.Params))
	}
	for r := R1; r < R1+Reg(n); r++ {
		s.Add(r)
	}
	s.Add(R10)
}

// define runs b over s, the registers that hold something, and calls bad for
// each read of one that doesn't.
func (b *Block) define(s RegSet, bad func(i *Insn, r Reg)) {
	var buf [8]Reg
	for n := range b.Insns {
		i := &b.Insns[n]
		if bad != nil {
			for _, r := range i.AppendUses(buf[:0]) {
				if !s.Has(r) {
					bad(i, r)
				}
			}
		}
		if i.Clobbers() {
			for r := R1; r <= R5; r++ {
				s.Remove(r)
			}
		}
		for _, r := range i.AppendDefs(buf[:0]) {
			s.Add(r)
		}
	}
}
