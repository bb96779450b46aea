package pass

import (
	"math"
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// interval bounds a value as an unsigned and as a signed number.
type interval struct {
	umin, umax uint64
	smin, smax int64
}

func fullInterval(t ir.Type) interval {
	n := uint(t.Bits())
	if n >= 64 {
		return interval{0, math.MaxUint64, math.MinInt64, math.MaxInt64}
	}
	return interval{0, 1<<n - 1, -1 << (n - 1), 1<<(n-1) - 1}
}

// facts is what is known on the way from the entry to a point: one scope for
// each dominating branch.
type facts struct {
	conds  map[*ir.Value]bool     // comparisons with known outcome
	ranges map[*ir.Value]interval // bounds of integers
	notNil map[*ir.Value]bool
	// room is the proven number of bytes between a pointer and a packet end.
	room map[roomKey]int64
	undo []func()
	// weak learns no more of integers than the verifier did before Linux 6.8:
	// nothing from comparing two numbers of which it knows neither.
	weak bool
}

// roomKey is a base pointer and the end it was compared with.
type roomKey struct{ base, end *ir.Value }

func newFacts() *facts {
	return &facts{
		conds: map[*ir.Value]bool{}, ranges: map[*ir.Value]interval{},
		notNil: map[*ir.Value]bool{}, room: map[roomKey]int64{},
	}
}

// mark and release bracket a scope.
func (k *facts) mark() int { return len(k.undo) }

func (k *facts) release(mark int) {
	for len(k.undo) > mark {
		k.undo[len(k.undo)-1]()
		k.undo = k.undo[:len(k.undo)-1]
	}
}

func set[K comparable, V any](k *facts, m map[K]V, key K, v V) {
	old, had := m[key]
	k.undo = append(k.undo, func() {
		if had {
			m[key] = old
		} else {
			delete(m, key)
		}
	})
	m[key] = v
}

// bounds returns what is known of v.
func (k *facts) bounds(v *ir.Value) interval {
	if v.Op == ir.OpConst {
		u := ir.ZeroExtend(v.Int, v.Type)
		return interval{u, u, v.Int, v.Int}
	}
	r, ok := k.ranges[v]
	if !ok {
		r = fullInterval(v.Type)
	}
	if m := maxBits(v); m < r.umax {
		r.umax = m
	}
	switch v.Op {
	case ir.OpZext:
		r = r.meet(unsignedAs(k.bounds(v.Args[0])))
	case ir.OpAdd:
		if n, ok := isConst(v.Args[1]); ok {
			r = r.meet(k.bounds(v.Args[0]).plus(n, v.Type))
		}
	}
	return r.tighten(v.Type)
}

// plus is the interval of a value with n added, as far as nothing overflows.
func (r interval) plus(n int64, t ir.Type) interval {
	out, full := fullInterval(t), fullInterval(t)
	if n >= 0 && r.smax <= full.smax-n || n < 0 && r.smin >= full.smin-n {
		out.smin, out.smax = r.smin+n, r.smax+n
	}
	u := uint64(n)
	if n >= 0 && r.umax <= full.umax-u || n < 0 && r.umin >= -u {
		out.umin, out.umax = r.umin+u, r.umax+u
	}
	return out
}

// unsignedAs is the interval of a zero-extended value.
func unsignedAs(r interval) interval {
	out := fullInterval(ir.I64)
	out.umin, out.umax = r.umin, r.umax
	return out
}

func (r interval) meet(o interval) interval {
	return interval{max(r.umin, o.umin), min(r.umax, o.umax), max(r.smin, o.smin), min(r.smax, o.smax)}
}

// tighten lets the signed and unsigned bounds inform each other.
func (r interval) tighten(t ir.Type) interval {
	half := uint64(1) << (t.Bits() - 1)
	if r.umax < half {
		r.smin, r.smax = max(r.smin, int64(r.umin)), min(r.smax, int64(r.umax))
	}
	if r.smin >= 0 {
		r.umin, r.umax = max(r.umin, uint64(r.smin)), min(r.umax, uint64(r.smax))
	}
	return r
}

// decide returns the outcome of comparison c if it is known.
func (k *facts) decide(c *ir.Value) (outcome, known bool) {
	if o, ok := k.conds[c]; ok {
		return o, true
	}
	if !c.Op.IsCompare() {
		return false, false
	}
	x, y := c.Args[0], c.Args[1]
	if x.Type == ir.Ptr {
		return k.decidePointers(c, x, y)
	}
	if y.Op == ir.OpPtrDiff && k.fitsLength(c.Op, x, y) {
		return true, true
	}
	return decideRanges(c.Op, k.bounds(x), k.bounds(y))
}

func (k *facts) decidePointers(c, x, y *ir.Value) (outcome, known bool) {
	switch c.Op {
	case ir.OpEq, ir.OpNe:
		if y.IsConst(0) && k.knownNotNil(x) {
			return c.Op == ir.OpNe, true
		}
	case ir.OpULe: // base+n <= end
		base, n := pointerParts(x)
		if have, ok := k.room[roomKey{base, y}]; ok && n <= have {
			return true, true
		}
	case ir.OpULt: // end < base+n
		base, n := pointerParts(y)
		if have, ok := k.room[roomKey{base, x}]; ok && n <= have {
			return false, true
		}
	}
	return false, false
}

func (k *facts) knownNotNil(p *ir.Value) bool {
	base, _ := pointerParts(p)
	return neverNil(p) || k.notNil[p] || k.notNil[base]
}

// pointerParts splits a constant addition off a pointer.
func pointerParts(p *ir.Value) (*ir.Value, int64) {
	if p.Op == ir.OpPtrAdd && p.Args[1].Op == ir.OpConst {
		return p.Args[0], p.Args[1].Int
	}
	return p, 0
}

func decideRanges(op ir.Op, a, b interval) (outcome, known bool) {
	switch op {
	case ir.OpEq, ir.OpNe:
		if a.umax < b.umin || b.umax < a.umin || a.smax < b.smin || b.smax < a.smin {
			return op == ir.OpNe, true
		}
	case ir.OpULt:
		return a.umax < b.umin, a.umax < b.umin || a.umin >= b.umax
	case ir.OpULe:
		return a.umax <= b.umin, a.umax <= b.umin || a.umin > b.umax
	case ir.OpSLt:
		return a.smax < b.smin, a.smax < b.smin || a.smin >= b.smax
	case ir.OpSLe:
		return a.smax <= b.smin, a.smax <= b.smin || a.smin > b.smax
	}
	return false, false
}

// learn records that c turned out as outcome.
func (k *facts) learn(c *ir.Value, outcome bool) {
	set(k, k.conds, c, outcome)
	if !c.Op.IsCompare() {
		return
	}
	x, y := c.Args[0], c.Args[1]
	if x.Type == ir.Ptr {
		k.learnPointers(c, x, y, outcome)
		return
	}
	op := c.Op
	if !outcome {
		op, x, y = opposite(op, x, y)
	}
	k.narrow(x, op, y, false)
	k.narrow(y, op, x, true)
}

// counting reports whether v is a loop's counter or its next value, which the
// verifier knows in each round.
func counting(v *ir.Value) bool {
	if v.Op == ir.OpAdd && v.Args[1].Op == ir.OpConst {
		v = v.Args[0]
	}
	return v.Op == ir.OpPhi && slices.ContainsFunc(v.Args, func(a *ir.Value) bool { return countsUp(v, a) })
}

// opposite returns the comparison that holds when op(x, y) does not.
func opposite(op ir.Op, x, y *ir.Value) (ir.Op, *ir.Value, *ir.Value) {
	switch op {
	case ir.OpEq:
		return ir.OpNe, x, y
	case ir.OpNe:
		return ir.OpEq, x, y
	case ir.OpULt:
		return ir.OpULe, y, x
	case ir.OpULe:
		return ir.OpULt, y, x
	case ir.OpSLt:
		return ir.OpSLe, y, x
	}
	return ir.OpSLt, y, x
}

// narrow tightens the bounds of x, knowing op(x, y), or op(y, x) if swapped.
func (k *facts) narrow(x *ir.Value, op ir.Op, y *ir.Value, swapped bool) {
	if x.Op == ir.OpConst || k.weak && op != ir.OpEq && y.Op != ir.OpConst && !counting(x) && !counting(y) {
		return
	}
	r, o := k.bounds(x), k.bounds(y)
	switch {
	case op == ir.OpEq:
		r = r.meet(o)
	case op == ir.OpNe:
		r = exclude(r, o)
	case op == ir.OpULt && !swapped && o.umax > 0:
		r.umax = min(r.umax, o.umax-1)
	case op == ir.OpULe && !swapped:
		r.umax = min(r.umax, o.umax)
	case op == ir.OpULt && o.umin < math.MaxUint64:
		r.umin = max(r.umin, o.umin+1)
	case op == ir.OpULe:
		r.umin = max(r.umin, o.umin)
	case op == ir.OpSLt && !swapped && o.smax > math.MinInt64:
		r.smax = min(r.smax, o.smax-1)
	case op == ir.OpSLe && !swapped:
		r.smax = min(r.smax, o.smax)
	case op == ir.OpSLt && o.smin < math.MaxInt64:
		r.smin = max(r.smin, o.smin+1)
	case op == ir.OpSLe:
		r.smin = max(r.smin, o.smin)
	}
	set(k, k.ranges, x, r.tighten(x.Type))
}

// exclude removes a constant from the edge of an interval.
func exclude(r, o interval) interval {
	if o.umin == o.umax {
		if r.umin == o.umin && r.umin < r.umax {
			r.umin++
		}
		if r.umax == o.umax && r.umin < r.umax {
			r.umax--
		}
	}
	return r
}

func (k *facts) learnPointers(c, x, y *ir.Value, outcome bool) {
	switch {
	case (c.Op == ir.OpEq || c.Op == ir.OpNe) && y.IsConst(0):
		if outcome == (c.Op == ir.OpNe) {
			set(k, k.notNil, x, true)
		}
	case c.Op == ir.OpULe && outcome: // x <= y: room between x and y
		k.learnRoom(x, y)
	case c.Op == ir.OpULt && !outcome: // !(x < y): y <= x
		k.learnRoom(y, x)
	}
}

func (k *facts) learnRoom(p, end *ir.Value) {
	base, n := pointerParts(p)
	key := roomKey{base, end}
	if have, ok := k.room[key]; !ok || n > have {
		set(k, k.room, key, n)
	}
}

// fitsLength decides x < end-p and x <= end-p, the length checks of packet
// slices, from the comparison with the end that stands before them.
func (k *facts) fitsLength(op ir.Op, x, diff *ir.Value) bool {
	need := int64(0)
	if op == ir.OpULt {
		need = 1
	} else if op != ir.OpULe {
		return false
	}
	end := diff.Args[0]
	base, skip := pointerParts(diff.Args[1])
	if n, ok := isConst(x); ok {
		have, ok := k.room[roomKey{base, end}]
		return ok && 0 <= n && n < maxLength && skip+n+need <= have
	}
	if x.Op == ir.OpAdd && x.Args[1].Op == ir.OpConst && x.Args[1].Int >= 0 {
		x, need = x.Args[0], need+x.Args[1].Int
	}
	for key, have := range k.room {
		b := key.base
		if key.end == end && b.Op == ir.OpPtrAdd && b.Args[0] == base && b.Args[1] == x && skip+need <= have {
			return true
		}
	}
	return false
}
