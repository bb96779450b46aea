package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// threadJumps sends an edge past a branch that it decides: a block that does
// nothing but compare a phi with a constant is skipped by the predecessors for
// which the phi's operand settles the comparison. This removes the second test
// of "p := At(...); if p == nil" and of inlined boolean functions.
func threadJumps(f *ir.Func) bool {
	changed := false
	dom := f.Dominators()
	for _, b := range f.Blocks {
		if threadable(b) && !sharedLoopHead(dom, b) {
			changed = threadBlock(f, b) || changed
		}
	}
	if changed {
		f.DropUnreachable()
	}
	return changed
}

// sharedLoopHead reports whether b heads a loop that is entered from more than
// one place: threading one of the entries would give the loop two heads.
func sharedLoopHead(dom *ir.DomTree, b *ir.Block) bool {
	for _, p := range b.Preds {
		if dom.Dominates(b, p) {
			return len(b.Preds) > 2
		}
	}
	return false
}

// threadable reports whether b holds phis, at most one comparison of a phi
// that only its branch uses, and constants.
func threadable(b *ir.Block) bool {
	if b.Term != ir.TermIf || len(b.Phis()) == 0 || b.Succs[0] == b || b.Succs[1] == b || b.Succs[0] == b.Succs[1] {
		return false
	}
	for _, v := range b.Values[len(b.Phis()):] {
		if v != b.Control && v.Op != ir.OpConst {
			return false
		}
	}
	return b.Control.Block == b
}

func threadBlock(f *ir.Func, b *ir.Block) bool {
	if b.Control.Op != ir.OpPhi && usedOutside(f, b.Control, b) {
		return false
	}
	changed := false
	for i := len(b.Preds) - 1; i >= 0; i-- {
		outcome, known := outcomeFor(b, i)
		if !known {
			continue
		}
		target := b.Succs[1]
		if outcome {
			target = b.Succs[0]
		}
		if target.PredIndex(b.Preds[i]) >= 0 {
			continue // parallel edges would need a block of their own
		}
		threadEdge(f, b, i, target)
		changed = true
	}
	return changed
}

// outcomeFor evaluates b's branch for predecessor i.
func outcomeFor(b *ir.Block, i int) (outcome, known bool) {
	arg := func(v *ir.Value) *ir.Value {
		if v.Op == ir.OpPhi && v.Block == b {
			return v.Args[i]
		}
		return v
	}
	c := b.Control
	if c.Op == ir.OpPhi {
		n, ok := isConst(arg(c))
		return n != 0, ok
	}
	if !c.Op.IsCompare() {
		return false, false
	}
	x, y := arg(c.Args[0]), arg(c.Args[1])
	if x.Type == ir.Ptr {
		switch {
		case c.Op != ir.OpEq && c.Op != ir.OpNe || !y.IsConst(0):
			return false, false
		case x.IsConst(0):
			return c.Op == ir.OpEq, true
		case neverNil(x):
			return c.Op == ir.OpNe, true
		}
		return false, false
	}
	probe := ir.Value{Op: c.Op, Type: ir.I8, Args: []*ir.Value{x, y}}
	n, ok := ir.FoldConst(&probe)
	return n != 0, ok
}

// threadEdge makes predecessor i of b jump to target. What b defines and others
// use gets a second definition, so those uses are rewired.
func threadEdge(f *ir.Func, b *ir.Block, i int, target *ir.Block) {
	p := b.Preds[i]
	phis := b.Phis()
	incoming := make([]*ir.Value, len(phis))
	for k, phi := range phis {
		incoming[k] = phi.Args[i]
	}
	at := func(v *ir.Value) *ir.Value {
		for k, phi := range phis {
			if v == phi {
				return incoming[k]
			}
		}
		return v
	}
	from := target.PredIndex(b)
	for _, phi := range target.Phis() {
		phi.Args = append(phi.Args, at(phi.Args[from]))
	}
	for k, s := range p.Succs {
		if s == b {
			p.Succs[k] = target
			break
		}
	}
	target.Preds = append(target.Preds, p)
	b.RemovePred(i)
	repairSSA(f, b, p, target, phis, incoming)
}

// repairSSA restores single assignment after an edge was threaded: on the new
// edge from p to target, the values of b have the incoming ones' place.
func repairSSA(f *ir.Func, b, p, target *ir.Block, phis, incoming []*ir.Value) {
	var outer []int // phis used beyond b
	for k, phi := range phis {
		if usedOutside(f, phi, b) {
			outer = append(outer, k)
		}
	}
	for _, v := range append([]*ir.Value{}, b.Values[len(phis):]...) {
		if v.Op == ir.OpConst {
			hoist(f, v)
		}
	}
	for _, k := range outer {
		rewireUses(f, phis[k], incoming[k], b, p, target)
	}
}

// hoist moves a constant to the entry, where it dominates everything.
func hoist(f *ir.Func, v *ir.Value) {
	e := f.Entry()
	if v.Block == e {
		return
	}
	b := v.Block
	for i, x := range b.Values {
		if x == v {
			b.Values = append(b.Values[:i:i], b.Values[i+1:]...)
			break
		}
	}
	v.Block = e
	e.Values = append(e.Values, v)
}

func usedOutside(f *ir.Func, v *ir.Value, b *ir.Block) bool {
	for _, x := range f.Blocks {
		for _, u := range x.Values {
			for i, a := range u.Args {
				if a != v {
					continue
				}
				if u.Op == ir.OpPhi {
					if x.Preds[i] != b {
						return true
					}
				} else if x != b {
					return true
				}
			}
		}
		if x != b && x.Control == v {
			return true
		}
		for _, r := range x.Rets {
			if r == v {
				return true
			}
		}
	}
	return false
}

// rewireUses makes the uses of old outside b read whichever of old (from b) or
// new (over the edge p -> target) reaches them.
func rewireUses(f *ir.Func, old, new *ir.Value, b, p, target *ir.Block) {
	r := rewirer{f: f, typ: old.Type, end: map[*ir.Block]*ir.Value{}, start: map[*ir.Block]*ir.Value{}}
	r.end[b] = old
	r.edge = func(from, to *ir.Block) *ir.Value {
		if from == p && to == target {
			return new
		}
		return nil
	}
	for _, x := range append([]*ir.Block{}, f.Blocks...) {
		for _, u := range append([]*ir.Value{}, x.Values...) {
			for i, a := range u.Args {
				if a != old {
					continue
				}
				switch {
				case u.Op == ir.OpPhi && x.Preds[i] == b:
				case u.Op == ir.OpPhi:
					u.Args[i] = r.across(x.Preds[i], x)
				case x != b:
					u.Args[i] = r.at(x)
				}
			}
		}
		if x != b && x.Control == old {
			x.Control = r.at(x)
		}
		for i, a := range x.Rets {
			if a == old && x != b {
				x.Rets[i] = r.at(x)
			}
		}
	}
	r.place()
}

// rewirer finds the reaching definition of a value with several, inserting
// phis on demand.
type rewirer struct {
	f          *ir.Func
	typ        ir.Type
	start, end map[*ir.Block]*ir.Value
	edge       func(from, to *ir.Block) *ir.Value
	phis       []*ir.Value
}

// across returns the value on the edge from -> to.
func (r *rewirer) across(from, to *ir.Block) *ir.Value {
	if v := r.edge(from, to); v != nil {
		return v
	}
	if v := r.end[from]; v != nil {
		return v
	}
	return r.at(from)
}

// at returns the value at the start of x.
func (r *rewirer) at(x *ir.Block) *ir.Value {
	if v := r.end[x]; v != nil {
		return v // only b has one, and its value is a phi at its start
	}
	if v := r.start[x]; v != nil {
		return v
	}
	if len(x.Preds) == 0 {
		undef := x.NewValue(ir.OpConst, r.typ, x.Pos)
		x.Values = append([]*ir.Value{undef}, x.Values...)
		r.start[x] = undef
		return undef
	}
	phi := x.NewValue(ir.OpPhi, r.typ, x.Pos)
	r.start[x] = phi
	r.phis = append(r.phis, phi)
	for _, p := range x.Preds {
		phi.Args = append(phi.Args, r.across(p, x))
	}
	return phi
}

// place puts the new phis into their blocks.
func (r *rewirer) place() {
	for _, phi := range r.phis {
		b := phi.Block
		b.Values = append([]*ir.Value{phi}, b.Values...)
	}
}
