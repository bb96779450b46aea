package regalloc

import (
	"math"
	"math/bits"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// This file colours the graph. Names and structure follow the appendix of
// George and Appel.

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

func (g *graph) enableMoves(r mach.Reg) {
	for _, n := range g.movesOf[r] {
		if g.moves[n].state == waiting {
			g.queueMove(n)
		}
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
