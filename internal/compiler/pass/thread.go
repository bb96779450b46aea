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
		if threadable(b) && dom.Knows(b) && !sharedLoopHead(dom, b) {
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
		if !dom.Knows(p) {
			return true // made since; the next round will tell
		}
		if dom.Dominates(b, p) {
			return len(b.Preds) > 2
		}
	}
	return false
}

// maxThreaded bounds the values besides phis of a block that edges may skip.
const maxThreaded = 6

// threadable reports whether b holds nothing but phis, a few pure operations
// and its branch; or nothing but a branch whose condition is from before.
func threadable(b *ir.Block) bool {
	if b.Term != ir.TermIf || b.Succs[0] == b || b.Succs[1] == b || b.Succs[0] == b.Succs[1] {
		return false
	}
	if len(b.Values) == 0 {
		return true
	}
	if len(b.Phis()) == 0 {
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
		e := newSkippedEdge(b, i)
		if n, ok := isConst(e.at(b.Control)); ok {
			changed = e.thread(f, n != 0) || changed
		}
	}
	return changed
}

// skippedEdge is an edge into b that may go straight to one of b's successors.
type skippedEdge struct {
	b, p *ir.Block
	// values holds what values of b are on this edge: a phi's operand, or a
	// constant, which is in no block yet. What is missing must be computed.
	values map[*ir.Value]*ir.Value
}

// newSkippedEdge evaluates b for its predecessor number i.
func newSkippedEdge(b *ir.Block, i int) *skippedEdge {
	e := &skippedEdge{b: b, p: b.Preds[i], values: map[*ir.Value]*ir.Value{}}
	phis := b.Phis()
	for _, phi := range phis {
		e.values[phi] = phi.Args[i]
	}
	for _, v := range b.Values[len(phis):] {
		if v.Op == ir.OpConst {
			e.values[v] = v
		} else if n, ok := e.fold(v); ok {
			e.values[v] = &ir.Value{Op: ir.OpConst, Type: v.Type, Int: n, Pos: v.Pos}
		}
	}
	return e
}

// at returns the value that v, of b or from before it, has on the edge.
func (e *skippedEdge) at(v *ir.Value) *ir.Value {
	if x := e.values[v]; x != nil {
		return x
	}
	return v
}

// probe returns v as it would be on the edge; it is in no block.
func (e *skippedEdge) probe(v *ir.Value) *ir.Value {
	p := &ir.Value{Op: v.Op, Type: v.Type, Int: v.Int, Aux: v.Aux}
	for _, a := range v.Args {
		p.Args = append(p.Args, e.at(a))
	}
	return p
}

// fold evaluates v on the edge.
func (e *skippedEdge) fold(v *ir.Value) (int64, bool) {
	probe := e.probe(v)
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
	return ir.FoldConst(probe)
}

// thread makes the edge jump to where outcome leads, unless that would need
// parallel edges. What b defines and others use gets a second definition, so
// those uses are rewired.
func (e *skippedEdge) thread(f *ir.Func, outcome bool) bool {
	b, target := e.b, e.b.Succs[1]
	if outcome {
		target = b.Succs[0]
	}
	if target.PredIndex(e.p) >= 0 {
		return false
	}
	outer := e.usedOutside(f)
	e.placeConstants(f)
	from := target.PredIndex(b)
	wanted := append([]*ir.Value{}, outer...)
	for _, phi := range target.Phis() {
		wanted = append(wanted, phi.Args[from])
	}
	via := e.detour(f, wanted)
	for _, phi := range target.Phis() {
		phi.Args = append(phi.Args, e.at(phi.Args[from]))
	}
	b.RemovePred(b.PredIndex(e.p))
	out := edgeTo(e.p, b)
	if via == e.p {
		e.p.Succs[out] = target
		target.Preds = append(target.Preds, e.p)
	} else {
		e.p.Succs[out] = via
		via.Preds = append(via.Preds, e.p)
		via.SetJump(target)
	}
	for _, v := range outer {
		rewireUses(f, v, e.at(v), b, via, target)
	}
	return true
}

// usedOutside returns the values of b that are used beyond it, except constants:
// those move to where they dominate everything.
func (e *skippedEdge) usedOutside(f *ir.Func) []*ir.Value {
	used := usedBeyond(f, e.b)
	var outer []*ir.Value
	for _, v := range e.b.Values {
		if v.Op != ir.OpConst && used[v] {
			outer = append(outer, v)
		}
	}
	return outer
}

// detour returns the block from which the edge leads to its target: the
// predecessor itself, or a new block that computes those values of b that are
// wanted beyond it and did not fold. A phi of b that another phi takes over is
// copied there, because behind the edge its name stands for its next value.
func (e *skippedEdge) detour(f *ir.Func, wanted []*ir.Value) *ir.Block {
	needed, copied := map[*ir.Value]bool{}, map[*ir.Value]bool{}
	var need func(v *ir.Value)
	need = func(v *ir.Value) {
		x := e.values[v]
		switch {
		case v.Block != e.b || needed[v]:
		case x == nil:
			needed[v] = true
			for _, a := range v.Args {
				need(a)
			}
		case x.Block == e.b && x.Op != ir.OpConst:
			copied[v] = true
		}
	}
	for _, v := range wanted {
		need(v)
	}
	if len(needed)+len(copied) == 0 {
		return e.p
	}
	via := f.NewBlock()
	via.Pos = e.b.Pos
	copies := map[*ir.Value]*ir.Value{}
	for _, v := range e.b.Values {
		switch {
		case copied[v]:
			copies[v] = via.Append(ir.OpCopy, v.Type, v.Pos, e.values[v])
		case needed[v]:
			c := e.probe(v)
			n := via.Append(c.Op, c.Type, v.Pos, c.Args...)
			n.Int, n.Aux = c.Int, c.Aux
			e.values[v] = n
		}
	}
	for v, c := range copies {
		e.values[v] = c
	}
	return via
}

// edgeTo returns which successor of p is b.
func edgeTo(p, b *ir.Block) int {
	for k, s := range p.Succs {
		if s == b {
			return k
		}
	}
	panic("BUG: no such edge")
}

// placeConstants puts the constants that stand for b's values, and b's own
// constants, into the entry, where they dominate everything.
func (e *skippedEdge) placeConstants(f *ir.Func) {
	entry := f.Entry()
	for _, v := range append([]*ir.Value{}, e.b.Values...) {
		c := e.values[v]
		switch {
		case c == nil:
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

// usedBeyond returns the values of b that other blocks use, or phis on edges from
// other blocks.
func usedBeyond(f *ir.Func, b *ir.Block) map[*ir.Value]bool {
	used := map[*ir.Value]bool{}
	for _, x := range f.Blocks {
		for _, u := range x.Values {
			for i, a := range u.Args {
				if a.Block == b && (u.Op != ir.OpPhi && x != b || u.Op == ir.OpPhi && x.Preds[i] != b) {
					used[a] = true
				}
			}
		}
		if x != b && x.Control != nil && x.Control.Block == b {
			used[x.Control] = true
		}
		for _, r := range x.Rets {
			if r.Block == b {
				used[r] = true
			}
		}
	}
	return used
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
