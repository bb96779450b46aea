package mach

import "slices"

// This file removes moves that register allocation left behind and whatever
// that makes dead.

// Peephole propagates copies within blocks and removes self moves, moves of what
// is there already, and dead instructions. It is meant for physical registers:
// before allocation it would make live ranges longer.
func (f *Func) Peephole() {
	for _, b := range f.Blocks {
		b.propagateCopies()
	}
	f.RemoveDead()
}

// RemoveDead removes instructions that only write a register nobody reads, and
// self moves.
func (f *Func) RemoveDead() {
	for {
		live := f.Liveness()
		removed := false
		for _, b := range f.Blocks {
			removed = b.removeDead(live.Out[b.Index]) || removed
		}
		if !removed {
			return
		}
	}
}

// removeDead walks b backwards from live, the registers live at its end. What
// reads and writes the same register, as in a loop's counter that is used for
// nothing else, stays.
func (b *Block) removeDead(live RegSet) bool {
	var buf [8]Reg
	kept := len(b.Insns)
	for n := len(b.Insns) - 1; n >= 0; n-- {
		i := &b.Insns[n]
		if i.IsMove() && i.Dst == i.Src || i.IsPure() && !live.Has(i.Dst) {
			continue
		}
		for _, r := range i.AppendDefs(buf[:0]) {
			live.Remove(r)
		}
		if i.Clobbers() {
			for r := R0; r <= R5; r++ {
				live.Remove(r)
			}
		}
		for _, r := range i.AppendUses(buf[:0]) {
			if r != R10 {
				live.Add(r)
			}
		}
		kept--
		b.Insns[kept] = *i
	}
	if kept == 0 {
		return false
	}
	b.Insns = slices.Delete(b.Insns, 0, kept)
	return true
}

// copies maps a register to the one it is known to be a copy of.
type copies map[Reg]Reg

// forget drops what is known about r and about its copies.
func (c copies) forget(r Reg) {
	delete(c, r)
	for d, s := range c {
		if s == r {
			delete(c, d)
		}
	}
}

// same reports whether d is known to be a copy of s.
func (c copies) same(d, s Reg) bool {
	t, ok := c[d]
	return ok && t == s
}

// propagateCopies lets instructions read the original instead of a copy, so that
// the move may become dead. Conditional jumps keep what they compare: the
// verifier learns about that very register, and the blocks behind use it.
func (b *Block) propagateCopies() {
	known := make(copies)
	var buf [8]Reg
	for n := range b.Insns {
		i := &b.Insns[n]
		if !i.IsCondJump() {
			i.useOriginals(known)
		}
		if i.IsMove() && (known.same(i.Dst, i.Src) || known.same(i.Src, i.Dst)) {
			i.Src = i.Dst // for RemoveDead
			continue
		}
		if i.Clobbers() {
			for r := R0; r <= R5; r++ {
				known.forget(r)
			}
		}
		for _, r := range i.AppendDefs(buf[:0]) {
			known.forget(r)
		}
		if i.IsMove() && i.Dst != i.Src && i.Src != R10 {
			known[i.Dst] = i.Src
		}
	}
}

// useOriginals replaces the operands that i only reads.
func (i *Insn) useOriginals(known copies) {
	var buf [8]Reg
	defs := i.AppendDefs(buf[:0])
	if s, ok := known[i.Src]; ok && i.HasSrc() && !slices.Contains(defs, i.Src) {
		i.Src = s
	}
	if s, ok := known[i.Dst]; ok && i.HasDst() && !slices.Contains(defs, i.Dst) {
		i.Dst = s
	}
}
