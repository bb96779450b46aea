package pass

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// state is a set: how a reference may stand at a point, depending on the way
// that led there.
type state uint8

const (
	stateFree  state = 1 << iota // not taken yet, given back, or nil
	stateMaybe                   // taken, but it may be nil
	stateHeld                    // taken and not nil
)

// states holds one state for each acquire of a function.
type states []state

// references knows which references and locks a function may hold where.
type references struct {
	f        *ir.Func
	acquires []*ir.Value // in reverse postorder
	in       []states    // at the start of a block, by ID; nil where nothing leads
}

// findReferences runs the forward dataflow to its fixed point.
func findReferences(f *ir.Func) *references {
	r := &references{f: f, in: make([]states, f.NumBlocks())}
	po := f.Postorder()
	for _, b := range slices.Backward(po) {
		for _, v := range b.Values {
			if h, ok := v.Aux.(*ir.HelperCall); ok && (h.Acquires || h.Lock > 0) {
				r.acquires = append(r.acquires, v)
			}
		}
	}
	if len(r.acquires) == 0 {
		return r
	}
	r.in[f.Entry().ID] = make(states, len(r.acquires))
	for i := range r.acquires {
		r.in[f.Entry().ID][i] = stateFree
	}
	for changed := true; changed; {
		changed = false
		for _, b := range slices.Backward(po) {
			out := r.through(b, r.in[b.ID])
			for k, s := range b.Succs {
				changed = r.join(s, r.onEdge(b, k, out)) || changed
			}
		}
	}
	return r
}

// join adds what an edge says to the states at the start of b.
func (r *references) join(b *ir.Block, s states) bool {
	if r.in[b.ID] == nil {
		r.in[b.ID] = make(states, len(s))
	}
	changed := false
	for i, have := range r.in[b.ID] {
		if have|s[i] != have {
			r.in[b.ID][i] |= s[i]
			changed = true
		}
	}
	return changed
}

// through returns the states at the end of b.
func (r *references) through(b *ir.Block, in states) states {
	out := slices.Clone(in)
	for _, v := range b.Values {
		if _, ok := v.Aux.(*ir.HelperCall); !ok {
			continue
		}
		for i, a := range r.acquires {
			switch {
			case v == a && a.Aux.(*ir.HelperCall).Lock > 0:
				out[i] = stateHeld
			case v == a:
				out[i] = stateMaybe
			case r.releases(v, a):
				out[i] = stateFree
			}
		}
	}
	return out
}

// releases reports whether call v gives back what a took.
func (r *references) releases(v, a *ir.Value) bool {
	h, ok := v.Aux.(*ir.HelperCall)
	if !ok {
		return false
	}
	if a.Aux.(*ir.HelperCall).Lock > 0 {
		return h.Lock < 0 // there is one lock at a time
	}
	if h.Releases == 0 {
		return false
	}
	from, _ := origins(v.Args[h.Releases-1])
	return slices.Contains(from, a)
}

// onEdge returns the states behind the k-th edge of b: a comparison with nil tells
// whether what was taken is there.
func (r *references) onEdge(b *ir.Block, k int, s states) states {
	p, ifNil, ok := nilTest(b)
	if !ok {
		return s
	}
	isNil := k == ifNil
	from, rest := origins(p)
	out := slices.Clone(s)
	for i, a := range r.acquires {
		switch {
		case !slices.Contains(from, a):
		case isNil && p == a:
			out[i] = stateFree
		case isNil && out[i]&stateMaybe != 0:
			out[i] = out[i]&^stateMaybe | stateFree
		case !isNil && len(from) == 1 && !rest:
			out[i] = stateHeld
		}
	}
	return out
}

// helperSkFullsock returns its argument, or nil.
const helperSkFullsock = 95

// origins returns the acquires that p may come from; rest is set if it may also
// come from elsewhere, or be nil although they are not.
func origins(p *ir.Value) (from []*ir.Value, rest bool) {
	seen := map[*ir.Value]bool{}
	var visit func(*ir.Value)
	visit = func(p *ir.Value) {
		if seen[p] {
			return
		}
		seen[p] = true
		switch p.Op {
		case ir.OpPtrAdd, ir.OpCopy:
			visit(p.Args[0])
			return
		case ir.OpPhi:
			for _, a := range p.Args {
				visit(a)
			}
			return
		}
		h, ok := p.Aux.(*ir.HelperCall)
		switch {
		case ok && h.Acquires:
			from = append(from, p)
		case ok && p.Int == helperSkFullsock:
			visit(p.Args[0])
			rest = true
		case !p.IsConst(0):
			rest = true
		}
	}
	visit(p)
	return from, rest
}

// passesReferences reports whether f gives back a reference or a lock that its
// caller took, or leaves one to its caller: such functions are inlined, because
// what is held when they fault depends on their callers.
func passesReferences(f *ir.Func) bool {
	refs := findReferences(f)
	for _, b := range f.Postorder() {
		for _, v := range b.Values {
			h, ok := v.Aux.(*ir.HelperCall)
			if !ok {
				continue
			}
			if h.Releases > 0 {
				if _, foreign := origins(v.Args[h.Releases-1]); foreign {
					return true
				}
			}
			if h.Lock < 0 && !slices.ContainsFunc(refs.acquires, isLock) {
				return true
			}
		}
		if b.Term != ir.TermRet || len(refs.acquires) == 0 {
			continue
		}
		for _, s := range refs.through(b, refs.in[b.ID]) {
			if s != stateFree {
				return true
			}
		}
	}
	return false
}

func isLock(v *ir.Value) bool { return v.Aux.(*ir.HelperCall).Lock > 0 }

// callUnderLock returns a call of f that may happen while a lock is held, nil if
// there is none. Kernels before Linux 6.9 refuse it.
func callUnderLock(f *ir.Func) *ir.Value {
	refs := findReferences(f)
	locks := slices.DeleteFunc(slices.Clone(refs.acquires), func(v *ir.Value) bool { return !isLock(v) })
	if len(locks) == 0 {
		return nil
	}
	for _, b := range f.Postorder() {
		held := slices.ContainsFunc(locks, func(l *ir.Value) bool {
			return refs.in[b.ID][slices.Index(refs.acquires, l)]&stateHeld != 0
		})
		for _, v := range b.Values {
			h, ok := v.Aux.(*ir.HelperCall)
			switch {
			case ok && h.Lock != 0:
				held = h.Lock > 0
			case v.Op == ir.OpCall && held && !v.Aux.(*ir.Func).NoInline:
				return v
			}
		}
	}
	return nil
}
