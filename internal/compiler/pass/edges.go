package pass

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// decidedEdge is an edge from p into b on which b's branch is known.
type decidedEdge struct {
	p, b    *ir.Block
	outcome bool
}

// decideNext looks at the branches right behind b: what is known at the end of
// b may decide them on b's edge, though not on others.
func (e *eliminator) decideNext(b *ir.Block) {
	for k, s := range b.Succs {
		if len(s.Preds) < 2 || !threadable(s) || sharedLoopHead(e.dom, s) {
			continue
		}
		mark := e.facts.mark()
		if b.Term == ir.TermIf {
			if b.Succs[0] == b.Succs[1] {
				continue
			}
			e.facts.learn(b.Control, k == 0)
		}
		if outcome, known := e.decideOn(newSkippedEdge(s, s.PredIndex(b))); known {
			e.decided = append(e.decided, decidedEdge{b, s, outcome})
		}
		e.facts.release(mark)
	}
}

// decideOn tells how the branch behind an edge turns out, if that is known.
func (e *eliminator) decideOn(edge *skippedEdge) (outcome, known bool) {
	c := edge.b.Control
	switch {
	case c.Block != edge.b:
		return e.facts.decide(c)
	case c.Op.IsCompare() && !edge.computes(c.Args):
		return e.facts.decide(edge.probe(c))
	}
	return false, false
}

// computes reports whether one of the operands would have to be computed anew on
// the edge: it is another value there than the one that facts are known of, that of
// the round before.
func (e *skippedEdge) computes(args []*ir.Value) bool {
	return slices.ContainsFunc(args, func(a *ir.Value) bool { return e.at(a).Block == e.b && e.values[a] == nil })
}

// threadDecided sends the decided edges past their branches. Threading one edge
// may change the block of another, so each is looked at anew.
func (e *eliminator) threadDecided() bool {
	changed := false
	touched := map[*ir.Block]bool{}
	for _, d := range e.decided {
		i := d.b.PredIndex(d.p)
		if i < 0 || touched[d.b] || touched[d.p] || !threadable(d.b) {
			continue
		}
		if newSkippedEdge(d.b, i).thread(e.f, d.outcome) {
			touched[d.b], touched[d.p] = true, true
			changed = true
		}
	}
	if changed {
		e.f.DropUnreachable()
	}
	return changed
}
