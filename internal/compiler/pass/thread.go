package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// threadJumps sends an edge past a branch that it decides: a block that only
// computes its own branch is skipped by the predecessors whose phi operands
// settle it. This removes the second test of "p := At(...); if p == nil" and of
// inlined boolean functions, and enters loops below their first test.
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

// maxThreaded bounds the values besides phis of a block that edges may skip.
const maxThreaded = 6

// threadable reports whether b holds nothing but phis, a few pure operations
// and its branch.
func threadable(b *ir.Block) bool {
	if b.Term != ir.TermIf || len(b.Phis()) == 0 || b.Succs[0] == b || b.Succs[1] == b || b.Succs[0] == b.Succs[1] {
		return false
	}
	rest := b.Values[len(b.Phis()):]
	for _, v := range rest {
		if !v.Op.IsPure() {
			return false
		}
	}
	return b.Control.Block == b && len(rest) <= maxThreaded
}

func threadBlock(f *ir.Func, b *ir.Block) bool {
	changed := false
	for i := len(b.Preds) - 1; i >= 0; i-- {
		e := skippedEdge{b: b, values: map[*ir.Value]*ir.Value{}}
		if !e.evaluate(i) {
			continue
		}
		target := b.Succs[1]
		if e.outcome {
			target = b.Succs[0]
		}
		if target.PredIndex(b.Preds[i]) >= 0 {
			continue // parallel edges would need a block of their own
		}
		e.thread(f, i, target)
		changed = true
	}
	return changed
}

// skippedEdge is an edge into b that may go straight to one of b's successors.
type skippedEdge struct {
	b *ir.Block
	// values holds what each value of b is on this edge; a constant that does
	// not exist yet is in no block.
	values  map[*ir.Value]*ir.Value
	outcome bool
}

// evaluate computes b for predecessor i; false if the branch stays open or a
// value that is used beyond b would have to be computed on the edge.
func (e *skippedEdge) evaluate(i int) bool {
	b := e.b
	phis := b.Phis()
	for _, phi := range phis {
		e.values[phi] = phi.Args[i]
	}
	for _, v := range b.Values[len(phis):] {
		if v.Op == ir.OpConst {
			e.values[v] = v
			continue
		}
		n, ok := e.fold(v)
		if !ok {
			return false
		}
		c := &ir.Value{Op: ir.OpConst, Type: v.Type, Int: n, Pos: v.Pos}
		e.values[v] = c
	}
	n, ok := isConst(e.at(b.Control))
	e.outcome = n != 0
	return ok
}

// at returns the value that v, of b or from before it, has on the edge.
func (e *skippedEdge) at(v *ir.Value) *ir.Value {
	if x := e.values[v]; x != nil {
		return x
	}
	return v
}

// fold evaluates v on the edge.
func (e *skippedEdge) fold(v *ir.Value) (int64, bool) {
	probe := ir.Value{Op: v.Op, Type: v.Type, Int: v.Int}
	for _, a := range v.Args {
		probe.Args = append(probe.Args, e.at(a))
	}
	if v.Op.IsCompare() && probe.Args[0].Type == ir.Ptr {
		x, y := probe.Args[0], probe.Args[1]
		switch {
		case v.Op != ir.OpEq && v.Op != ir.OpNe || !y.IsConst(0):
			return 0, false
		case x.IsConst(0):
			return boolInt(v.Op == ir.OpEq), true
		}
		return boolInt(v.Op == ir.OpNe), neverNil(x)
	}
	return ir.FoldConst(&probe)
}

// thread makes predecessor i of b jump to target. What b defines and others use
// gets a second definition, so those uses are rewired.
func (e *skippedEdge) thread(f *ir.Func, i int, target *ir.Block) {
	b := e.b
	p := b.Preds[i]
	e.placeConstants(f)
	from := target.PredIndex(b)
	for _, phi := range target.Phis() {
		phi.Args = append(phi.Args, e.at(phi.Args[from]))
	}
	for k, s := range p.Succs {
		if s == b {
			p.Succs[k] = target
			break
		}
	}
	target.Preds = append(target.Preds, p)
	b.RemovePred(i)
	for _, v := range append([]*ir.Value{}, b.Values...) {
		if usedOutside(f, v, b) {
			rewireUses(f, v, e.values[v], b, p, target)
		}
	}
}

// placeConstants puts the constants that stand for b's values, and b's own
// constants, into the entry, where they dominate everything.
func (e *skippedEdge) placeConstants(f *ir.Func) {
	entry := f.Entry()
	for _, v := range append([]*ir.Value{}, e.b.Values...) {
		c := e.values[v]
		switch {
		case v.Op == ir.OpConst:
			hoist(f, v)
		case c.Op == ir.OpConst && c.Block == nil:
			placed := entry.NewValue(ir.OpConst, c.Type, c.Pos)
			placed.Int = c.Int
			entry.Values = append(entry.Values, placed)
			e.values[v] = placed
		}
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
		return v // only b has one
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
