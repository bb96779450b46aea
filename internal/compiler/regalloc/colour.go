package regalloc

import (
	"math"
	"math/bits"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// This file colours the graph. Names and structure follow the appendix of
// George and Appel.

// run colours the graph or leaves what could not be coloured in g.spilled.
func (g *graph) run() {
	for r := mach.R0; r < numColours; r++ {
		g.state[r], g.colour[r], g.degree[r] = coloured, r, math.MaxInt32
	}
	for n := range g.moves {
		g.queueMove(n)
	}
	for r := len(g.state) - 1; r >= int(mach.FirstVirtual); r-- {
		if g.state[r] == initial {
			g.queue(mach.Reg(r))
		}
	}
	for g.simplify() || g.coalesce() || g.freeze() || g.selectSpill() {
	}
	g.assignColours()
}

// queue puts r on the work list it belongs to.
func (g *graph) queue(r mach.Reg) {
	switch {
	case g.degree[r] >= numColours:
		g.state[r] = toSpill
		g.spillList = append(g.spillList, r)
	case g.moveRelated(r):
		g.state[r] = toFreeze
		g.freezeList = append(g.freezeList, r)
	default:
		g.state[r] = toSimplify
		g.simplifyList = append(g.simplifyList, r)
	}
}

// pop takes the last register that is still in state s off list.
func (g *graph) pop(list *[]mach.Reg, s nodeState) (mach.Reg, bool) {
	for l := *list; len(l) > 0; {
		r := l[len(l)-1]
		l = l[:len(l)-1]
		*list = l
		if g.state[r] == s {
			return r, true
		}
	}
	return 0, false
}

// inGraph reports whether r has been neither stacked nor merged.
func (g *graph) inGraph(r mach.Reg) bool {
	return g.state[r] != stacked && g.state[r] != coalesced
}

func (g *graph) simplify() bool {
	r, ok := g.pop(&g.simplifyList, toSimplify)
	if !ok {
		return false
	}
	g.state[r] = stacked
	g.stack = append(g.stack, r)
	for _, t := range g.nbrs[r] {
		if g.inGraph(t) {
			g.decrementDegree(t)
		}
	}
	return true
}

func (g *graph) decrementDegree(r mach.Reg) {
	if isPhysical(r) {
		return
	}
	g.degree[r]--
	if g.degree[r] != numColours-1 {
		return
	}
	g.enableMoves(r)
	for _, t := range g.nbrs[r] {
		if g.inGraph(t) {
			g.enableMoves(t)
		}
	}
	if g.state[r] == toSpill {
		g.queue(r)
	}
}

func (g *graph) find(r mach.Reg) mach.Reg {
	for g.state[r] == coalesced {
		if a := g.alias[r]; g.state[a] == coalesced {
			g.alias[r] = g.alias[a]
		}
		r = g.alias[r]
	}
	return r
}

// findCosts computes the costs, those of merged registers together.
func (g *graph) findCosts() {
	g.cost = g.costs()
	for r := range g.state {
		if g.state[r] != coalesced {
			continue
		}
		if u := g.find(mach.Reg(r)); !isPhysical(u) {
			g.cost[u] = mergeCost(g.cost[u], g.cost[r])
		}
	}
}

// rank tells how good r is to spill; low is good.
func (g *graph) rank(r mach.Reg) float64 { return g.metric(g.cost[r], float64(g.degree[r])) }

// selectSpill takes out the register that is the cheapest to spill, in the hope
// that it can be coloured nevertheless.
func (g *graph) selectSpill() bool {
	if len(g.spillList) > 0 && g.cost == nil {
		g.findCosts()
	}
	best, at := math.Inf(1), -1
	kept := g.spillList[:0]
	for _, r := range g.spillList {
		if g.state[r] != toSpill {
			continue
		}
		if p := g.rank(r); at < 0 || p < best {
			best, at = p, len(kept)
		}
		kept = append(kept, r)
	}
	g.spillList = kept
	if at < 0 {
		return false
	}
	r := g.spillList[at]
	g.state[r] = toSimplify
	g.simplifyList = append(g.simplifyList, r)
	g.freezeMoves(r)
	return true
}

// assignColours takes registers off the stack and gives each a colour that no
// neighbour has.
func (g *graph) assignColours() {
	for n := len(g.stack) - 1; n >= 0; n-- {
		r := g.stack[n]
		free := uint(1<<numColours - 1)
		for _, t := range g.nbrs[r] {
			if t = g.find(t); g.state[t] == coloured {
				free &^= 1 << g.colour[t]
			}
		}
		switch {
		case free != 0:
			g.state[r] = coloured
			g.colour[r] = g.choose(r, free)
		case g.cost != nil && math.IsInf(g.cost[r], 1):
			g.state[r] = spilled
			g.spillNeighbour(r)
		case g.state[r] == stacked:
			g.state[r] = spilled
			g.spilled = append(g.spilled, r)
		}
	}
}

// choose picks a colour of free: that of the heaviest move's other side if
// possible, else the lowest.
func (g *graph) choose(r mach.Reg, free uint) mach.Reg {
	var gain [numColours]float64
	for _, n := range g.movesOf[r] {
		m := &g.moves[n]
		other := g.find(m.dst)
		if other == r {
			other = g.find(m.src)
		}
		if g.state[other] == coloured {
			gain[g.colour[other]] += m.weight
		}
	}
	best := mach.Reg(bits.TrailingZeros(free))
	for c := best + 1; c < numColours; c++ {
		if free&(1<<c) != 0 && gain[c] > gain[best] {
			best = c
		}
	}
	return best
}

// spillNeighbour makes room for r, which can't be spilled itself, in the next
// round: the cheapest neighbour goes.
func (g *graph) spillNeighbour(r mach.Reg) {
	best := math.Inf(1)
	var victim mach.Reg
	for _, t := range g.nbrs[r] {
		t = g.find(t)
		if !isPhysical(t) && g.cost[t] < best {
			best, victim = g.cost[t], t
		}
	}
	switch {
	case victim == 0:
		panic("BUG: no register for " + r.String())
	case g.state[victim] != spilled:
		g.state[victim] = spilled
		g.spilled = append(g.spilled, victim)
	}
}

// colourOf returns the physical register of r.
func (g *graph) colourOf(r mach.Reg) mach.Reg {
	if !r.IsVirtual() {
		return r
	}
	return g.colour[g.find(r)]
}
