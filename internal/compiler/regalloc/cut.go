package regalloc

import "github.com/waggle-bpf/waggle/internal/compiler/mach"

// This file cuts live ranges down to single uses, or to runs of uses in a block
// as long as registers are free in between.

// cutter rewrites one block after another.
type cutter struct {
	a       *allocator
	want    mach.RegSet
	out     []mach.Insn
	load    []int // registers in use behind each instruction of the block
	current map[mach.Reg]piece
}

// piece is where the value of a register is at the moment.
type piece struct {
	reg   mach.Reg
	since int // the instruction that last touched it
}

// reach bounds how far apart two uses may be to share a piece.
const reach = 64

// cut rewrites the uses and definitions of regs.
func (a *allocator) cut(regs []mach.Reg) {
	c := &cutter{a: a, want: mach.NewRegSet(a.f.Limit())}
	for _, r := range regs {
		c.want.Add(r)
	}
	live := a.f.Liveness()
	for _, b := range a.f.Blocks {
		c.measure(b, live.Out[b.Index])
		c.block(b)
	}
}

// measure counts the registers in use behind each instruction of b, without
// those that are being cut.
func (c *cutter) measure(b *mach.Block, live mach.RegSet) {
	c.load = make([]int, len(b.Insns))
	var buf [8]mach.Reg
	n := 0
	for r := range live.All {
		if !c.want.Has(r) {
			n++
		}
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

func (c *cutter) block(b *mach.Block) {
	c.out = make([]mach.Insn, 0, len(b.Insns)+8)
	c.current = make(map[mach.Reg]piece)
	for n := range b.Insns {
		i := b.Insns[n]
		if !c.spillCode(&i) && !c.move(n, &i) {
			c.insn(n, i)
		}
	}
	b.Insns = c.out
}

// spillCode drops the stores and loads of an earlier cut: memory is up to date
// behind each definition from now on.
func (c *cutter) spillCode(i *mach.Insn) bool {
	if _, ok := i.Sym.(*home); !ok {
		return false
	}
	r := i.Dst
	if i.Op.Class() == mach.ClassSTX {
		r = i.Src
	}
	return c.want.Has(r) && c.a.isSpillCode(i, r)
}

func (c *cutter) emit(i mach.Insn, like *mach.Insn) {
	i.Pos = like.Pos
	c.out = append(c.out, i)
}

// move handles moves of which one side is being cut: they become a load or a
// store.
func (c *cutter) move(n int, i *mach.Insn) bool {
	if !i.IsMove() {
		return false
	}
	fromMemory, toMemory := c.want.Has(i.Src), c.want.Has(i.Dst)
	switch {
	case fromMemory && !toMemory:
		if _, ok := c.kept(n, i.Src); ok {
			return false
		}
		c.emit(c.a.reload(i.Dst, i.Src), i)
	case toMemory && !fromMemory && c.a.info[i.Dst].remat == nil && i.Src != mach.R10:
		delete(c.current, i.Dst)
		c.emit(c.a.store(i.Dst, i.Src), i)
	default:
		return false
	}
	return true
}

// kept returns the piece that still holds r before instruction n, if there is
// one and registers are free up to here.
func (c *cutter) kept(n int, r mach.Reg) (mach.Reg, bool) {
	p, ok := c.current[r]
	if !ok || n-p.since > reach {
		return 0, false
	}
	for k := p.since; k < n; k++ {
		if c.load[k] >= numColours-1 {
			return 0, false
		}
	}
	return p.reg, true
}

// use returns the register that holds r for instruction n.
func (c *cutter) use(n int, r mach.Reg, like *mach.Insn) mach.Reg {
	if t, ok := c.kept(n, r); ok {
		p := c.current[r]
		for k := p.since; k < n; k++ {
			c.load[k]++
		}
		if n > p.since {
			c.a.info[t].level = withinBlock
		}
		c.current[r] = piece{t, n}
		return t
	}
	t := c.a.newReg(r, singleUse)
	c.emit(c.a.reload(t, r), like)
	c.current[r] = piece{t, n}
	return t
}

// insn rewrites any other instruction.
func (c *cutter) insn(n int, i mach.Insn) {
	var buf [8]mach.Reg
	like := i
	defs := i.AppendDefs(buf[:0])
	oldDst, oldSrc := i.Dst, i.Src
	if i.HasSrc() && c.want.Has(i.Src) {
		i.Src = c.use(n, i.Src, &like)
	}
	if i.HasDst() && c.want.Has(i.Dst) {
		if has(like.AppendUses(nil), i.Dst) && readsDst(&like) {
			i.Dst = c.use(n, i.Dst, &like)
		} else {
			i.Dst = c.a.newReg(i.Dst, singleUse)
		}
	}
	c.out = append(c.out, i)
	for _, d := range defs {
		if !c.want.Has(d) {
			continue
		}
		t := i.Src
		if d == oldDst && i.Dst != oldDst {
			t = i.Dst
		} else if d != oldSrc {
			continue
		}
		c.current[d] = piece{t, n}
		if c.a.info[d].remat == nil {
			c.emit(c.a.store(d, t), &like)
		}
	}
}

// readsDst reports whether i reads the register in its field Dst.
func readsDst(i *mach.Insn) bool {
	switch i.Op.Class() {
	case mach.ClassLD, mach.ClassLDX:
		return false
	case mach.ClassALU, mach.ClassALU64:
		return i.Op != mach.LEA && i.Op&0xf0 != mach.Mov
	}
	return true
}
