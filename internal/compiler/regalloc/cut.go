package regalloc

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// This file cuts live ranges down to single uses, or to runs of uses in a block
// as long as registers are free in between. Values are written back where their
// run ends.

// cutter rewrites one block after another.
type cutter struct {
	a       *allocator
	want    mach.RegSet
	b       *mach.Block
	before  [][]mach.Insn // what goes before each instruction of the block
	after   [][]mach.Insn // and behind it
	dropped []bool        // instructions that go
	load    []int         // registers in use behind each instruction
	current map[mach.Reg]*piece
}

// piece is where the value of a register is at the moment.
type piece struct {
	reg     mach.Reg
	since   int  // the instruction that last touched it
	defined bool // that instruction wrote it
	dirty   bool // memory holds another value
}

// reach bounds how far apart two uses may be to share a piece.
const reach = 64

// cut rewrites the uses and definitions of regs.
func (a *allocator) cut(regs []mach.Reg) {
	c := &cutter{a: a, want: mach.NewRegSet(a.f.Limit())}
	for _, r := range regs {
		c.want.Add(r)
		if a.info[r].remat == nil {
			a.homeOf(r) // before pieces of r copy it
		}
	}
	live := a.f.Liveness()
	for _, b := range a.f.Blocks {
		end := slices.Clone(live.Out[b.Index])
		c.measure(b, live.Out[b.Index])
		c.block(b, regs, end)
	}
}

// measure counts the registers in use behind each instruction of b, without
// those that are being cut.
func (c *cutter) measure(b *mach.Block, live mach.RegSet) {
	c.load = make([]int, len(b.Insns))
	var buf [8]mach.Reg
	n := 0
	for r := range live.All {
		n += c.counts(r)
	}
	for k := len(b.Insns) - 1; k >= 0; k-- {
		i := &b.Insns[k]
		c.load[k] = n
		for _, r := range i.AppendDefs(buf[:0]) {
			if live.Has(r) {
				live.Remove(r)
				n -= c.counts(r)
			}
		}
		if i.Clobbers() {
			c.load[k] = numColours // nothing is kept across calls
		}
		for _, r := range i.AppendUses(buf[:0]) {
			if r != mach.R10 && !live.Has(r) {
				live.Add(r)
				n += c.counts(r)
			}
		}
	}
}

func (c *cutter) counts(r mach.Reg) int {
	if c.want.Has(r) {
		return 0
	}
	return 1
}

// block rewrites b, behind which live registers matter.
func (c *cutter) block(b *mach.Block, regs []mach.Reg, live mach.RegSet) {
	n := len(b.Insns)
	c.b = b
	c.before, c.after, c.dropped = make([][]mach.Insn, n), make([][]mach.Insn, n), make([]bool, n)
	c.current = make(map[mach.Reg]*piece)
	for n := range b.Insns {
		i := &b.Insns[n]
		if c.spillCode(i) || c.move(n, i) {
			c.dropped[n] = true
		} else {
			c.insn(n, i)
		}
	}
	for _, r := range regs {
		if p := c.current[r]; p != nil && live.Has(r) {
			c.writeBack(r, p)
		}
	}
	out := make([]mach.Insn, 0, n+8)
	for n, i := range b.Insns {
		out = append(out, c.before[n]...)
		if !c.dropped[n] {
			out = append(out, i)
		}
		out = append(out, c.after[n]...)
	}
	b.Insns = out
}

// spillCode handles stores and loads of an earlier cut. They go: memory is up to
// date wherever no piece is dirty.
func (c *cutter) spillCode(i *mach.Insn) bool {
	h := homeIn(i)
	if h == nil {
		return false
	}
	isStore := i.Op.Class() == mach.ClassSTX
	r := i.Dst
	if isStore {
		r = i.Src
	}
	if !c.want.Has(r) || c.a.info[r].home != h {
		return false
	}
	if p := c.current[r]; p != nil && isStore {
		c.writeBack(r, p)
	} else if !isStore {
		delete(c.current, r)
	}
	return true
}

func (c *cutter) put(list [][]mach.Insn, n int, i mach.Insn) {
	i.Pos = c.b.Insns[n].Pos
	list[n] = append(list[n], i)
}

// writeBack stores a dirty piece where it was last touched.
func (c *cutter) writeBack(r mach.Reg, p *piece) {
	if !p.dirty {
		return
	}
	p.dirty = false
	list := c.before
	if p.defined {
		list = c.after
	}
	c.put(list, p.since, c.a.store(r, p.reg))
}

// move handles moves from a register that is being cut and has to be reloaded:
// they become the reload.
func (c *cutter) move(n int, i *mach.Insn) bool {
	if !i.IsMove() || !c.want.Has(i.Src) || c.want.Has(i.Dst) || c.isKept(n, i.Src) {
		return false
	}
	c.abandon(i.Src)
	c.put(c.after, n, c.a.reload(i.Dst, i.Src))
	return true
}

// isKept reports whether a piece still holds r before instruction n: registers
// are free up to here, and keeping it has not failed before.
func (c *cutter) isKept(n int, r mach.Reg) bool {
	p := c.current[r]
	if p == nil || n-p.since > reach || n > p.since && c.a.info[r].level == withinBlock {
		return false
	}
	for k := p.since; k < n; k++ {
		if c.load[k] >= numColours-1 {
			return false
		}
	}
	return true
}

// abandon ends the piece of r.
func (c *cutter) abandon(r mach.Reg) {
	if p := c.current[r]; p != nil {
		c.writeBack(r, p)
		delete(c.current, r)
	}
}

// use returns the register that holds r for instruction n.
func (c *cutter) use(n int, r mach.Reg) mach.Reg {
	if !c.isKept(n, r) {
		c.abandon(r)
		t := c.a.newReg(r, singleUse)
		c.put(c.before, n, c.a.reload(t, r))
		c.current[r] = &piece{reg: t, since: n}
		return t
	}
	p := c.current[r]
	if n > p.since {
		for k := p.since; k < n; k++ {
			c.load[k]++
		}
		c.a.info[p.reg].level = withinBlock
		p.since, p.defined = n, false
	}
	return p.reg
}

// insn rewrites any other instruction.
func (c *cutter) insn(n int, i *mach.Insn) {
	var buf [8]mach.Reg
	defs := i.AppendDefs(buf[:0])
	if i.HasSrc() && c.want.Has(i.Src) {
		i.Src = c.use(n, i.Src)
	}
	if i.HasDst() && c.want.Has(i.Dst) {
		if i.ReadsDst() {
			i.Dst = c.use(n, i.Dst)
		} else {
			i.Dst = c.a.newReg(i.Dst, singleUse)
		}
	}
	for _, d := range defs {
		if !c.want.Has(d) {
			continue
		}
		t := i.Dst
		if i.Op.Class() == mach.ClassSTX {
			t = i.Src // an atomic that fetches
		}
		c.current[d] = &piece{reg: t, since: n, defined: true, dirty: c.a.info[d].remat == nil}
	}
}
