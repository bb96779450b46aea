package regalloc

import (
	"math"
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// This file decides what spilling costs and how what was chosen is cut.

// metric turns the cost of spilling a register and its number of neighbours into
// a rank; the lowest is spilled first.
type metric func(cost, degree float64) float64

// strategy is one way to choose what is spilled and how.
type strategy struct {
	metric metric
	// copies tries to go on in another register behind a call before it
	// resorts to memory.
	copies bool
}

// strategies are what is tried: the first alone if it spills nothing or the
// function is long.
var strategies = []strategy{
	{costOverDegree, false},
	{costOverDegree, true},
	{costOverDegree2, false},
	{costAlone, false},
}

func costOverDegree(cost, degree float64) float64  { return cost / degree }
func costOverDegree2(cost, degree float64) float64 { return cost / (degree * degree) }
func costAlone(cost, _ float64) float64            { return cost }

// findRemats notes which registers hold values that can be computed anywhere.
func (a *allocator) findRemats() {
	for r, d := range onlyDefs(a.f) {
		if d != nil && canRemat(d) {
			i := *d
			a.info[r].remat = &i
		}
	}
}

// costs estimates what spilling each register would cost.
func (a *allocator) costs(live *mach.Liveness) []float64 {
	cost := a.plainCosts()
	crossing := a.crossing(live)
	s := newSplit(a, crossing, live)
	for n, r := range crossing {
		cost[r] = s.cost(n)
	}
	for r := range cost {
		if a.info[r].level == singleUse {
			cost[r] = math.Inf(1)
		}
	}
	return cost
}

// plainCosts is the cost of a load before each use and a store behind each
// definition.
func (a *allocator) plainCosts() []float64 {
	cost := make([]float64, a.f.Limit())
	var buf [8]mach.Reg
	for _, b := range a.f.Blocks {
		w := weight(b)
		for n := range b.Insns {
			i := &b.Insns[n]
			for _, r := range i.AppendUses(buf[:0]) {
				cost[r] += w * a.reloadSize(r)
			}
			for _, r := range i.AppendDefs(buf[:0]) {
				if rm := a.info[r].remat; rm != nil {
					cost[r] -= w * size(rm)
				} else {
					cost[r] += w
				}
			}
		}
	}
	return cost
}

// reloadSize is the cost of getting r back.
func (a *allocator) reloadSize(r mach.Reg) float64 {
	if rm := a.info[r].remat; rm != nil {
		return size(rm)
	}
	return 1
}

// crossing returns the whole registers that live across a call.
func (a *allocator) crossing(live *mach.Liveness) []mach.Reg {
	set := mach.NewRegSet(a.f.Limit())
	now := mach.NewRegSet(a.f.Limit())
	var buf [8]mach.Reg
	for _, b := range a.f.Blocks {
		now.Copy(live.Out[b.Index])
		for n := len(b.Insns) - 1; n >= 0; n-- {
			i := &b.Insns[n]
			for _, r := range i.AppendDefs(buf[:0]) {
				now.Remove(r)
			}
			if i.Clobbers() {
				set.AddAll(now)
			}
			for _, r := range i.AppendUses(buf[:0]) {
				if r != mach.R10 {
					now.Add(r)
				}
			}
		}
	}
	var out []mach.Reg
	for r := range set.All {
		if r.IsVirtual() && a.info[r].level <= moved {
			out = append(out, r)
		}
	}
	return out
}

// spill cuts the registers that g has no colours for.
func (a *allocator) spill(g *graph) {
	var split, cut []mach.Reg
	classes := a.spilledClasses(g)
	a.mergeClasses(classes)
	for _, class := range classes {
		for _, r := range class {
			switch a.info[r].level {
			case whole, moved:
				split = append(split, r)
			case betweenCall, withinBlock:
				cut = append(cut, r)
			}
		}
	}
	live := a.f.Liveness()
	crossing := a.crossing(live)
	split = slices.DeleteFunc(split, func(r mach.Reg) bool {
		if slices.Contains(crossing, r) {
			return false
		}
		cut = append(cut, r)
		return true
	})
	slices.Sort(split)
	slices.Sort(cut)
	if a.strategy.copies {
		split = a.moveAway(split, live)
	}
	if len(split) > 0 {
		newSplit(a, split, a.f.Liveness()).apply()
	}
	if len(cut) > 0 {
		a.cut(cut)
	}
	a.f.RemoveDead()
}

// spilledClasses returns the registers to be spilled: each list is what was
// coalesced, and what can be on top of that now that it need not fit into a
// register; the moves between then cost nothing.
func (a *allocator) spilledClasses(g *graph) [][]mach.Reg {
	at := make([]int, a.f.Limit()) // register to class
	classes := make([][]mach.Reg, len(g.spilled)+1)
	for n, r := range g.spilled {
		at[r] = n + 1
	}
	for r := mach.FirstVirtual; r < a.f.Limit(); r++ {
		if g.state[r] != absent {
			n := at[g.find(r)]
			classes[n] = append(classes[n], r)
			at[r] = n
		}
	}
	for n := range g.moves {
		m := &g.moves[n]
		x, y := at[m.dst], at[m.src]
		if x == 0 || y == 0 || x == y || !a.canMerge(g, classes[x], classes[y]) {
			continue
		}
		for _, r := range classes[y] {
			at[r] = x
		}
		classes[x] = append(classes[x], classes[y]...)
		classes[y] = nil
	}
	return slices.DeleteFunc(classes[1:], func(c []mach.Reg) bool { return len(c) == 0 })
}

// canMerge reports whether x and y can be one register in memory.
func (a *allocator) canMerge(g *graph, x, y []mach.Reg) bool {
	for _, u := range x {
		for _, v := range y {
			if a.info[u].level > moved || a.info[v].level > moved || g.adj.has(u, v) {
				return false
			}
		}
	}
	return true
}

// mergeClasses makes one register of each class of which nothing has been cut
// yet; its parts then share one place in memory and the moves between them vanish.
func (a *allocator) mergeClasses(classes [][]mach.Reg) {
	to := make([]mach.Reg, a.f.Limit())
	for n, class := range classes {
		if len(class) == 1 || slices.ContainsFunc(class, func(r mach.Reg) bool { return a.info[r].level > moved }) {
			continue
		}
		rep := &a.info[class[0]]
		rep.remat = nil
		for _, r := range class {
			to[r] = class[0]
			rep.level = max(rep.level, a.info[r].level)
		}
		classes[n] = class[:1]
	}
	for _, b := range a.f.Blocks {
		kept := b.Insns[:0]
		for _, i := range b.Insns {
			if t := to[i.Dst]; t != 0 && i.HasDst() {
				i.Dst = t
			}
			if t := to[i.Src]; t != 0 && i.HasSrc() {
				i.Src = t
			}
			if !i.IsMove() || i.Dst != i.Src || to[i.Dst] == 0 {
				kept = append(kept, i)
			}
		}
		b.Insns = kept
	}
}

// reload returns the instruction that gets the value of r into dst.
func (a *allocator) reload(dst, r mach.Reg) mach.Insn {
	if rm := a.info[r].remat; rm != nil {
		i := *rm
		i.Dst, i.Pos = dst, 0
		return i
	}
	return mach.Insn{
		Op:  mach.Opcode(mach.ClassLDX) | mach.ModeMEM | mach.SizeDW,
		Dst: dst, Src: mach.R10, Sym: a.homeOf(r),
	}
}

// store returns the instruction that saves src as the value of r.
func (a *allocator) store(r, src mach.Reg) mach.Insn {
	return mach.Insn{
		Op:  mach.Opcode(mach.ClassSTX) | mach.ModeMEM | mach.SizeDW,
		Dst: mach.R10, Src: src, Sym: a.homeOf(r),
	}
}

func (a *allocator) homeOf(r mach.Reg) *home {
	if a.info[r].home == nil {
		a.info[r].home = a.newHome()
	}
	return a.info[r].home
}
