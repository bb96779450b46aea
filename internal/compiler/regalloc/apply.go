package regalloc

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// This file inserts the stores and reloads that a split decided on.

// insertion is code to be put before instruction n of a block.
type insertion struct {
	n    int
	insn mach.Insn
}

// apply cuts s.regs: the pieces become registers of their own.
func (s *split) apply() {
	a := s.a
	blocks := slices.Clone(a.f.Blocks)
	saved := s.findSaved(a.f.PostOrder())
	inserts := make([][]insertion, len(blocks))
	for _, b := range blocks {
		inserts[b.Index] = s.insertions(b, saved)
	}
	for _, b := range blocks {
		// Before b's own insertions: these go to its end or to new blocks.
		for k, t := range slices.Clone(b.Succs) {
			s.insertOnEdge(b, t, k)
		}
	}
	for n, b := range blocks {
		insert(b, inserts[n])
	}
	for _, r := range s.regs {
		a.info[r].level = betweenCall
	}
	s.renumber()
}

// renumber makes the pieces of s.regs registers of their own.
func (s *split) renumber() map[mach.Reg]mach.Reg {
	from := renumber(s.a.f, func(r mach.Reg) bool { return int(r) < len(s.at) && s.at[r] >= 0 })
	s.a.grow()
	for r, old := range from {
		s.a.info[r] = s.a.info[old]
	}
	return from
}

// moveAway puts moves before calls so that what lives across may be in another
// register from there on. It returns those of regs where that is no use, because
// they were treated so before or because the ways meet again.
func (a *allocator) moveAway(regs []mach.Reg, live *mach.Liveness) []mach.Reg {
	var fresh, rest []mach.Reg
	for _, r := range regs {
		if a.info[r].level == whole && a.info[r].remat == nil {
			fresh = append(fresh, r)
		} else {
			rest = append(rest, r)
		}
	}
	if len(fresh) == 0 {
		return rest
	}
	s := newSplit(a, fresh, live)
	saved := s.findSaved(a.f.PostOrder())
	for _, b := range a.f.Blocks {
		var ins []insertion
		s.walkSaved(b, saved, func(n int, k mach.Reg) {
			r := s.regs[k]
			ins = append(ins, insertion{n, mach.Insn{
				Op: mach.Opcode(mach.ClassALU64) | mach.Mov | mach.SrcReg, Dst: r, Src: r, Pos: b.Insns[n].Pos,
			}})
		}, false)
		slices.SortStableFunc(ins, func(x, y insertion) int { return x.n - y.n })
		insert(b, ins)
	}
	for _, r := range fresh {
		a.info[r].level = moved
	}
	cut := make(map[mach.Reg]bool)
	for _, old := range s.renumber() {
		cut[old] = true
	}
	for _, r := range fresh {
		if !cut[r] {
			rest = append(rest, r)
		}
	}
	slices.Sort(rest)
	return rest
}

// insertions collects what goes into the middle of b.
func (s *split) insertions(b *mach.Block, saved []set) []insertion {
	var ins []insertion
	put := func(n int, i mach.Insn) {
		i.Pos = b.Insns[min(n, len(b.Insns)-1)].Pos
		ins = append(ins, insertion{n, i})
	}
	s.walkSaved(b, saved, func(n int, k mach.Reg) {
		if r := s.regs[k]; s.a.info[r].remat == nil && s.beforeCalls(k) {
			put(n, s.a.store(r, r))
		}
	}, false)
	now := s.newSet()
	now.Copy(s.in[b.Index])
	s.walk(b, now, visitor{
		reload: func(n int, k mach.Reg) { put(n, s.a.reload(s.regs[k], s.regs[k])) },
		def: func(n int, k mach.Reg) {
			if r := s.regs[k]; s.a.info[r].remat == nil && !s.beforeCalls(k) {
				put(n+1, s.a.store(r, r))
			}
		},
	})
	slices.SortStableFunc(ins, func(x, y insertion) int { return x.n - y.n })
	return ins
}

// insert puts ins, sorted, into b.
func insert(b *mach.Block, ins []insertion) {
	if len(ins) == 0 {
		return
	}
	out := make([]mach.Insn, 0, len(b.Insns)+len(ins))
	for n, i := range b.Insns {
		for len(ins) > 0 && ins[0].n == n {
			out = append(out, ins[0].insn)
			ins = ins[1:]
		}
		out = append(out, i)
	}
	for _, i := range ins {
		out = append(out, i.insn)
	}
	b.Insns = out
}

// insertOnEdge puts reloads on the edge from p to t, its successor number k: at
// the end of p if that leads nowhere else, else in a new block.
func (s *split) insertOnEdge(p, t *mach.Block, k int) {
	var code []mach.Insn
	s.onEdge(p, t, func(n mach.Reg) {
		i := s.a.reload(s.regs[n], s.regs[n])
		if len(t.Insns) > 0 {
			i.Pos = t.Insns[0].Pos
		}
		code = append(code, i)
	})
	if len(code) == 0 {
		return
	}
	if len(p.Succs) == 1 {
		p.Insns = append(slices.Clip(p.Insns), code...)
		return
	}
	b := &mach.Block{
		ID: nextID(s.a.f), Insns: code, Succs: []*mach.Block{t}, Preds: []*mach.Block{p},
		Depth: min(p.Depth, t.Depth), Cold: p.Cold || t.Cold,
	}
	p.Succs[k] = b
	t.Preds[slices.Index(t.Preds, p)] = b
	s.a.f.Blocks = append(s.a.f.Blocks, b)
}

func nextID(f *mach.Func) int {
	id := 0
	for _, b := range f.Blocks {
		id = max(id, b.ID+1)
	}
	return id
}
