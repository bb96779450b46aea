package regalloc

import "github.com/waggle-bpf/waggle/internal/compiler/mach"

// This file builds the interference graph.

// numColours is how many registers there are to give: R0 to R9.
const numColours = 10

// isPhysical reports whether r is a node with a fixed colour.
func isPhysical(r mach.Reg) bool { return r < numColours }

// edgeSet is a set of pairs of registers: open addressing, power of two.
type edgeSet struct {
	keys []uint64
	used int
}

func newEdgeSet(capacity int) edgeSet {
	n := 64
	for n < 2*capacity {
		n *= 2
	}
	return edgeSet{keys: make([]uint64, n)}
}

// key is never zero: no register interferes with itself.
func edgeKey(u, v mach.Reg) uint64 {
	if u > v {
		u, v = v, u
	}
	return uint64(u)<<32 | uint64(v)
}

// find returns where k is or would be.
func (s *edgeSet) find(k uint64) int {
	mask := uint64(len(s.keys) - 1)
	h := (k ^ k>>29) * 0x9e3779b97f4a7c15
	for n := h >> 20 & mask; ; n = (n + 1) & mask {
		if s.keys[n] == k || s.keys[n] == 0 {
			return int(n)
		}
	}
}

func (s *edgeSet) has(u, v mach.Reg) bool {
	k := edgeKey(u, v)
	return s.keys[s.find(k)] == k
}

// add puts (u, v) into s and reports whether it is new.
func (s *edgeSet) add(u, v mach.Reg) bool {
	k := edgeKey(u, v)
	n := s.find(k)
	if s.keys[n] == k {
		return false
	}
	s.keys[n] = k
	if s.used++; 2*s.used > len(s.keys) {
		s.grow()
	}
	return true
}

func (s *edgeSet) grow() {
	old := s.keys
	s.keys = make([]uint64, 2*len(old))
	for _, k := range old {
		if k != 0 {
			s.keys[s.find(k)] = k
		}
	}
}

// build makes the graph of f: a register interferes with all that live where it
// is written, except that a move's destination may share a register with what
// holds the same value.
func build(f *mach.Func, live *mach.Liveness) *graph {
	g := newGraph(int(f.Limit()))
	for u := mach.R0; u < numColours; u++ {
		for v := mach.R0; v < u; v++ {
			g.adj.add(u, v)
		}
	}
	g.twins = twins(f, live)
	now := mach.NewRegSet(f.Limit())
	for _, b := range f.Blocks {
		now.Copy(live.Out[b.Index])
		for n := len(b.Insns) - 1; n >= 0; n-- {
			g.buildInsn(b, &b.Insns[n], now)
		}
	}
	return g
}

func (g *graph) buildInsn(b *mach.Block, i *mach.Insn, live mach.RegSet) {
	var buf [8]mach.Reg
	if i.IsMove() && i.Src != mach.R10 {
		live.Remove(i.Src)
		g.addMove(i.Dst, i.Src, weight(b))
	}
	defs := i.AppendDefs(buf[:0])
	for _, d := range defs {
		g.appear(d)
	}
	var removed []mach.Reg
	for _, r := range g.twins[i] {
		if live.Has(r) {
			live.Remove(r)
			removed = append(removed, r)
		}
	}
	for _, d := range defs {
		for r := range live.All {
			g.addEdge(d, r)
		}
	}
	for _, r := range removed {
		live.Add(r)
	}
	for _, d := range defs {
		live.Remove(d)
	}
	if i.Clobbers() {
		for r := range live.All {
			for c := mach.R0; c <= mach.R5; c++ {
				g.addEdge(c, r)
			}
		}
	}
	for _, r := range i.AppendUses(buf[:0]) {
		if r != mach.R10 {
			live.Add(r)
			g.appear(r)
		}
	}
}
