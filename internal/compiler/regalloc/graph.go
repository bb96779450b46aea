package regalloc

import (
	"math"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// This file holds the interference graph and builds it.

// numColours is how many registers there are to give: R0 to R9.
const numColours = 10

// isPhysical reports whether r is a node with a fixed colour.
func isPhysical(r mach.Reg) bool { return r < numColours }

// nodeState says which of the paper's disjoint sets a register is in.
type nodeState uint8

const (
	absent nodeState = iota // not in the code
	initial
	toSimplify // few neighbours, not part of a move
	toFreeze   // few neighbours, part of a move
	toSpill    // many neighbours
	stacked    // taken out of the graph
	coalesced  // merged into alias
	coloured   // physical ones from the start
	spilled
)

type moveState uint8

const (
	ready moveState = iota // may be coalesced
	waiting
	done // coalesced, impossible or given up
)

type move struct {
	dst, src mach.Reg
	weight   float64
	state    moveState
}

type graph struct {
	adj     edgeSet
	nbrs    [][]mach.Reg // not kept for physical registers
	degree  []int
	state   []nodeState
	alias   []mach.Reg
	colour  []mach.Reg
	twins   map[*mach.Insn][]mach.Reg
	moves   []move
	movesOf [][]int // by register, indices into moves

	simplifyList, freezeList, spillList []mach.Reg // may hold registers that moved on
	moveLists                           [4][]int   // ready moves by importance
	stack                               []mach.Reg

	costs   func() []float64 // computes cost when it is first needed
	cost    []float64        // of spilling, by register; +Inf if impossible
	metric  metric
	spilled []mach.Reg // result: representatives that got no colour
}

func newGraph(n int) *graph {
	return &graph{
		adj:     newEdgeSet(8 * n),
		nbrs:    make([][]mach.Reg, n),
		degree:  make([]int, n),
		state:   make([]nodeState, n),
		alias:   make([]mach.Reg, n),
		colour:  make([]mach.Reg, n),
		movesOf: make([][]int, n),
	}
}

// appear notes that r is in the code.
func (g *graph) appear(r mach.Reg) {
	if g.state[r] != absent {
		return
	}
	g.state[r] = initial
	if isPhysical(r) {
		g.state[r], g.colour[r], g.degree[r] = coloured, r, math.MaxInt32
	}
}

func (g *graph) addEdge(u, v mach.Reg) {
	if u == v || !g.adj.add(u, v) {
		return
	}
	if !isPhysical(u) {
		g.nbrs[u] = append(g.nbrs[u], v)
		g.degree[u]++
	}
	if !isPhysical(v) {
		g.nbrs[v] = append(g.nbrs[v], u)
		g.degree[v]++
	}
}

func (g *graph) addMove(dst, src mach.Reg, w float64) {
	if dst == src {
		return
	}
	n := len(g.moves)
	g.moves = append(g.moves, move{dst: dst, src: src, weight: w})
	g.movesOf[dst] = append(g.movesOf[dst], n)
	g.movesOf[src] = append(g.movesOf[src], n)
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
