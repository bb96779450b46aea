package pass

import (
	"math"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// impliedBranches replaces conditions that dominating branches decide. This is
// where redundant bounds, nil and packet-end checks go; weak spares those that old
// verifiers need.
func impliedBranches(f *ir.Func, weak bool) bool {
	e := newEliminator(f)
	e.facts.weak = weak
	e.block(f.Entry())
	return e.threadDecided() || e.changed
}

func newEliminator(f *ir.Func) *eliminator {
	e := &eliminator{f: f, dom: f.Dominators(), facts: newFacts()}
	e.bounds = e.facts.bounds
	e.findCounters()
	return e
}

type eliminator struct {
	f       *ir.Func
	dom     *ir.DomTree
	facts   *facts
	changed bool
	// bounds tells what is known of a value here.
	bounds func(*ir.Value) interval
	// decided are edges on which the branch behind them has a known outcome.
	decided []decidedEdge
	// counters are the bounds of phis that start at a constant >= -1 and only
	// count up, below a signed bound. Loops over arrays and slices start at -1.
	counters map[*ir.Value]counter
}

// counter bounds a counting phi as a signed number.
type counter struct{ start, limit int64 }

func (e *eliminator) block(b *ir.Block) {
	mark := e.facts.mark()
	e.enter(b)
	e.compares(b)
	if b.Term == ir.TermIf && b.Control.Op != ir.OpConst {
		if outcome, known := e.facts.decide(b.Control); known {
			c := b.NewValue(ir.OpConst, ir.I8, b.Pos)
			c.Int = boolInt(outcome)
			b.Values = append(b.Values, c)
			b.Control = c
			e.changed = true
		}
	}
	e.decideNext(b)
	for _, child := range e.dom.Children[b.ID] {
		e.block(child)
	}
	e.facts.release(mark)
}

// enter learns what is known at the start of b.
func (e *eliminator) enter(b *ir.Block) {
	if len(b.Preds) == 1 {
		e.learnEdge(b.Preds[0], b)
	}
	for _, phi := range b.Phis() {
		r := fullInterval(phi.Type)
		if c, ok := e.counters[phi]; ok {
			r.smin, r.smax = c.start, c.limit
		} else if !e.joined(b, phi, &r) {
			continue
		}
		set(e.facts, e.facts.ranges, phi, r.tighten(phi.Type))
	}
}

// joined bounds a phi behind one branch, as min and max make it, by what each
// way from the branch says of its operand.
func (e *eliminator) joined(b *ir.Block, phi *ir.Value, r *interval) bool {
	if len(b.Preds) != 2 || !phi.Type.IsInt() {
		return false
	}
	head := e.dom.Idom(b)
	var parts [2]interval
	for i, p := range b.Preds {
		mark := e.facts.mark()
		switch {
		case p == head:
			e.learnEdge(head, b)
		case len(p.Preds) == 1 && p.Preds[0] == head:
			e.learnEdge(head, p)
		default:
			return false
		}
		parts[i] = e.bounds(phi.Args[i])
		e.facts.release(mark)
	}
	x, y := parts[0], parts[1]
	*r = interval{min(x.umin, y.umin), max(x.umax, y.umax), min(x.smin, y.smin), max(x.smax, y.smax)}
	return *r != fullInterval(phi.Type)
}

// compares folds comparisons that are used as values.
func (e *eliminator) compares(b *ir.Block) {
	for _, v := range b.Values {
		if !v.Op.IsCompare() || v == b.Control {
			continue
		}
		if outcome, known := e.facts.decide(v); known {
			v.Reset(ir.OpConst)
			v.Int = boolInt(outcome)
			e.changed = true
		}
	}
}

// learnEdge records what taking the edge from p to b says.
func (e *eliminator) learnEdge(p, b *ir.Block) {
	if p.Term != ir.TermIf || p.Succs[0] == p.Succs[1] {
		return
	}
	e.facts.learn(p.Control, p.Succs[0] == b)
}

// findCounters looks for i = phi(start, i + step) in loops that go on only
// while i < bound (signed), so that the addition can't overflow.
func (e *eliminator) findCounters() {
	e.counters = map[*ir.Value]counter{}
	for _, b := range e.dom.RPO {
		for _, phi := range b.Phis() {
			c, ok := e.counter(b, phi)
			if !ok {
				continue
			}
			e.counters[phi] = c
			if c.start >= 0 && c.limit < math.MaxInt64 {
				phi.Limit = uint64(c.limit) + 1
			}
		}
	}
}

// maxStep keeps counters away from an overflow.
const maxStep = 1 << 6

func (e *eliminator) counter(b *ir.Block, phi *ir.Value) (c counter, ok bool) {
	if !phi.Type.IsInt() {
		return c, false
	}
	most := fullInterval(phi.Type).smax
	c = counter{start: most, limit: -1}
	for i, a := range phi.Args {
		if a.Op == ir.OpConst && -1 <= a.Int && a.Int <= most-maxStep {
			c.start, c.limit = min(c.start, a.Int), max(c.limit, a.Int)
			continue
		}
		limit, ok := int64(0), countsUp(phi, a)
		if ok {
			limit, ok = e.boundAt(b.Preds[i], phi, a)
		}
		if !ok {
			return c, false
		}
		c.limit = max(c.limit, limit)
	}
	return c, c.start < most
}

// countsUp reports whether next is phi plus a small positive constant.
func countsUp(phi, next *ir.Value) bool {
	if next.Op != ir.OpAdd || next.Args[0] != phi {
		return false
	}
	step, ok := isConst(next.Args[1])
	return ok && 0 < step && step <= maxStep
}

// boundAt finds a branch that keeps phi or its next value below a bound on all
// ways to the back edge from latch. It returns the most that the next value can
// be on that edge.
func (e *eliminator) boundAt(latch *ir.Block, phi, next *ir.Value) (limit int64, ok bool) {
	// A loop tested at its end has the branch in the latch itself.
	if latch.Term == ir.TermIf && latch.Succs[0] != latch.Succs[1] {
		if limit, ok = counterBound(latch.Control, latch.Succs[0] == phi.Block, phi, next); ok {
			return limit, true
		}
	}
	for b := latch; b != nil; b = e.dom.Idom(b) {
		d := e.dom.Idom(b)
		if d == nil || d.Term != ir.TermIf || len(b.Preds) != 1 || b.Preds[0] != d || d.Succs[0] == d.Succs[1] {
			continue
		}
		if limit, ok = counterBound(d.Control, d.Succs[0] == b, phi, next); ok {
			return limit, true
		}
	}
	return 0, false
}

// counterBound is boundAt for one condition and its outcome.
func counterBound(c *ir.Value, outcome bool, phi, next *ir.Value) (limit int64, ok bool) {
	if !c.Op.IsCompare() || c.Args[0].Type == ir.Ptr {
		return 0, false
	}
	op, x, y := c.Op, c.Args[0], c.Args[1]
	if !outcome {
		op, x, y = opposite(op, x, y)
	}
	if x != phi && x != next {
		return 0, false
	}
	most, step := fullInterval(phi.Type).smax, next.Args[1].Int
	switch op {
	case ir.OpSLt, ir.OpULt, ir.OpSLe, ir.OpULe:
		if n := int64(min(maxBits(y), uint64(most))); n <= most-2*maxStep {
			if op == ir.OpSLt || op == ir.OpULt {
				n--
			}
			if x == phi {
				n += step
			}
			return n, true
		}
		// Below an unknown bound a step of one can't overflow.
		if op == ir.OpSLt && step == 1 && x == next {
			return most - 1, true
		}
		return most, op == ir.OpSLt && step == 1
	}
	return 0, false // i != n may count up from behind n
}
