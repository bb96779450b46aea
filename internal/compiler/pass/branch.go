package pass

import (
	"math"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// impliedBranches replaces conditions that dominating branches decide. This is
// where redundant bounds, nil and packet-end checks go.
func impliedBranches(f *ir.Func) bool {
	e := eliminator{f: f, dom: f.Dominators(), facts: newFacts()}
	e.findCounters()
	e.block(f.Entry())
	return e.changed
}

type eliminator struct {
	f       *ir.Func
	dom     *ir.DomTree
	facts   *facts
	changed bool
	// counters are phis that start at a constant >= -1 and only ever count up
	// by a positive step below a signed bound: they are never below their
	// start. Loops over arrays and slices start at -1.
	counters map[*ir.Value]int64
}

func (e *eliminator) block(b *ir.Block) {
	mark := e.facts.mark()
	if len(b.Preds) == 1 {
		e.learnEdge(b.Preds[0], b)
	}
	for _, phi := range b.Phis() {
		if start, ok := e.counters[phi]; ok {
			r := fullInterval(phi.Type)
			r.smin = start
			set(e.facts, e.facts.ranges, phi, r.tighten(phi.Type))
		}
	}
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
	for _, child := range e.dom.Children[b.ID] {
		e.block(child)
	}
	e.facts.release(mark)
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
	e.counters = map[*ir.Value]int64{}
	for _, b := range e.dom.RPO {
		for _, phi := range b.Phis() {
			if start, ok := e.counterStart(b, phi); ok {
				e.counters[phi] = start
			}
		}
	}
}

func (e *eliminator) counterStart(b *ir.Block, phi *ir.Value) (start int64, ok bool) {
	if !phi.Type.IsInt() {
		return 0, false
	}
	start = math.MaxInt64
	for i, a := range phi.Args {
		switch {
		case a.Op == ir.OpConst && -1 <= a.Int && a.Int <= fullInterval(phi.Type).smax-maxStep:
			start = min(start, a.Int)
		case !countsUp(phi, a) || !e.boundedAt(b.Preds[i], phi, a):
			return 0, false
		}
	}
	return start, start < math.MaxInt64
}

// maxStep keeps counters away from an overflow.
const maxStep = 1 << 6

// countsUp reports whether next is phi plus a small positive constant.
func countsUp(phi, next *ir.Value) bool {
	if next.Op != ir.OpAdd || next.Args[0] != phi {
		return false
	}
	step, ok := isConst(next.Args[1])
	return ok && 0 < step && step <= maxStep
}

// boundedAt reports whether the back edge is dominated by "phi < something"
// or "phi <= constant" in the signed sense, or by an unsigned comparison with
// a constant, or whether the next value itself is compared so.
func (e *eliminator) boundedAt(latch *ir.Block, phi, next *ir.Value) bool {
	for b := latch; b != nil; b = e.dom.Idom(b) {
		d := e.dom.Idom(b)
		if d == nil || d.Term != ir.TermIf || len(b.Preds) != 1 || b.Preds[0] != d || d.Succs[0] == d.Succs[1] {
			continue
		}
		if boundsCounter(d.Control, d.Succs[0] == b, phi, next) {
			return true
		}
	}
	return latchBounds(latch, phi, next)
}

// latchBounds looks at the branch of the latch itself (a loop tested at its
// end).
func latchBounds(latch *ir.Block, phi, next *ir.Value) bool {
	if latch.Term != ir.TermIf || latch.Succs[0] == latch.Succs[1] {
		return false
	}
	return boundsCounter(latch.Control, latch.Succs[0] == phi.Block, phi, next)
}

func boundsCounter(c *ir.Value, outcome bool, phi, next *ir.Value) bool {
	if !c.Op.IsCompare() || c.Args[0].Type == ir.Ptr {
		return false
	}
	op, x, y := c.Op, c.Args[0], c.Args[1]
	if !outcome {
		op, x, y = opposite(op, x, y)
	}
	if x != phi && x != next {
		return false
	}
	n, isConstant := isConst(y)
	step := next.Args[1].Int
	small := isConstant && 0 <= n && n <= fullInterval(phi.Type).smax-step
	switch op {
	case ir.OpSLt, ir.OpULt, ir.OpSLe, ir.OpULe:
		if small {
			return true
		}
		// Below an unknown bound a step of one can't overflow: the next value,
		// if not the last one too, was below the bound.
		return op == ir.OpSLt && next.Args[1].IsConst(1)
	case ir.OpNe:
		// i != n with a step of one reaches n before it could overflow.
		return false
	}
	return false
}
