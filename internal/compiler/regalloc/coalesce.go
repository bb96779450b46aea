package regalloc

import (
	"math"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// This file merges the two sides of moves.

// queueMove makes move n ready; heavier moves come first.
func (g *graph) queueMove(n int) {
	m := &g.moves[n]
	m.state = ready
	k := 0
	for w := m.weight; w >= 1 && k < len(g.moveLists)-1; w /= 8 {
		k++
	}
	g.moveLists[k] = append(g.moveLists[k], n)
}

func (g *graph) popMove() (int, bool) {
	for k := len(g.moveLists) - 1; k >= 0; k-- {
		for l := g.moveLists[k]; len(l) > 0; {
			n := l[len(l)-1]
			l = l[:len(l)-1]
			g.moveLists[k] = l
			if g.moves[n].state == ready {
				g.moves[n].state = done
				return n, true
			}
		}
	}
	return 0, false
}

func (g *graph) moveRelated(r mach.Reg) bool {
	for _, n := range g.movesOf[r] {
		if g.moves[n].state != done {
			return true
		}
	}
	return false
}

func (g *graph) enableMoves(r mach.Reg) {
	for _, n := range g.movesOf[r] {
		if g.moves[n].state == waiting {
			g.queueMove(n)
		}
	}
}

func (g *graph) coalesce() bool {
	n, ok := g.popMove()
	if !ok {
		return false
	}
	m := &g.moves[n]
	u, v := g.find(m.dst), g.find(m.src)
	if isPhysical(v) {
		u, v = v, u
	}
	switch {
	case u == v:
		g.unfreeze(u)
	case isPhysical(v) || g.adj.has(u, v):
		g.unfreeze(u)
		g.unfreeze(v)
	case g.mayMerge(u, v):
		g.merge(u, v)
		g.unfreeze(u)
	default:
		m.state = waiting
	}
	return true
}

// unfreeze queues r again after the number of its moves may have become zero.
func (g *graph) unfreeze(r mach.Reg) {
	if g.state[r] == toFreeze && !g.moveRelated(r) {
		g.queue(r)
	}
}

// mayMerge reports whether merging v into u is sure not to make the graph
// harder to colour.
func (g *graph) mayMerge(u, v mach.Reg) bool {
	if isPhysical(u) {
		return g.george(u, v)
	}
	return g.briggs(u, v) || g.george(u, v) || g.george(v, u)
}

// george: each neighbour of v is easy to colour or is a neighbour of u already.
func (g *graph) george(u, v mach.Reg) bool {
	for _, t := range g.nbrs[v] {
		if g.inGraph(t) && g.degree[t] >= numColours && !g.adj.has(t, u) {
			return false
		}
	}
	return true
}

// briggs: the merged register has few neighbours that are hard to colour.
func (g *graph) briggs(u, v mach.Reg) bool {
	k := 0
	for _, t := range g.nbrs[u] {
		if g.inGraph(t) && g.hardBeside(t, u, v) {
			k++
		}
	}
	for _, t := range g.nbrs[v] {
		if g.inGraph(t) && g.hardBeside(t, u, v) && !g.adj.has(t, u) {
			k++
		}
	}
	return k < numColours
}

// hardBeside reports whether t is hard to colour once u and v are one.
func (g *graph) hardBeside(t, u, v mach.Reg) bool {
	d := g.degree[t]
	if d == numColours && g.adj.has(t, u) && g.adj.has(t, v) {
		d--
	}
	return d >= numColours
}

func (g *graph) merge(u, v mach.Reg) {
	g.state[v], g.alias[v] = coalesced, u
	if g.cost != nil && !isPhysical(u) {
		g.cost[u] = mergeCost(g.cost[u], g.cost[v])
	}
	g.movesOf[u] = append(g.movesOf[u], g.movesOf[v]...)
	g.enableMoves(v)
	for _, t := range g.nbrs[v] {
		if g.inGraph(t) {
			g.addEdge(t, u)
			g.decrementDegree(t)
		}
	}
	if g.state[u] == toFreeze && g.degree[u] >= numColours {
		g.queue(u)
	}
}

// mergeCost adds the costs of spilling two registers that became one: what can
// still be spilled of it.
func mergeCost(a, b float64) float64 {
	switch {
	case math.IsInf(a, 1):
		return b
	case math.IsInf(b, 1):
		return a
	}
	return a + b
}

func (g *graph) freeze() bool {
	r, ok := g.pop(&g.freezeList, toFreeze)
	if !ok {
		return false
	}
	g.state[r] = toSimplify
	g.simplifyList = append(g.simplifyList, r)
	g.freezeMoves(r)
	return true
}

// freezeMoves gives up the moves of r.
func (g *graph) freezeMoves(r mach.Reg) {
	for _, n := range g.movesOf[r] {
		m := &g.moves[n]
		if m.state == done {
			continue
		}
		m.state = done
		other := g.find(m.dst)
		if other == g.find(r) {
			other = g.find(m.src)
		}
		if !isPhysical(other) && g.degree[other] < numColours {
			g.unfreeze(other)
		}
	}
}
