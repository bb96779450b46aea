package pass

import (
	"math/bits"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// simplifier applies algebraic identities, one value at a time. Each family of
// operations has its function in rules; it returns a replacement, or v itself
// after changing it in place, or nil where nothing applies.
type simplifier struct {
	// legal: narrow operations are gone and must not come back.
	legal bool
	uses  []int // by value ID, as of the start of the run
}

// single reports whether v has one use only. What a rule made is used by it.
func (s simplifier) single(v *ir.Value) bool { return v.ID >= len(s.uses) || s.uses[v.ID] <= 1 }

var rules map[ir.Op]func(s simplifier, v *ir.Value) *ir.Value

func init() {
	rules = map[ir.Op]func(s simplifier, v *ir.Value) *ir.Value{
		ir.OpAdd: simplifyAdd, ir.OpSub: simplifySub, ir.OpMul: simplifyMul,
		ir.OpUDiv: simplifyUDiv, ir.OpUMod: simplifyUMod,
		ir.OpAnd: simplifyAnd, ir.OpOr: simplifyOr, ir.OpXor: simplifyXor,
		ir.OpShl: simplifyShift, ir.OpLShr: simplifyShift, ir.OpAShr: simplifyShift,
		ir.OpZext: simplifyZext, ir.OpSext: simplifySext, ir.OpTrunc: simplifyTrunc,
		ir.OpEq: simplifyEquality, ir.OpNe: simplifyEquality,
		ir.OpULt: simplifyOrder, ir.OpULe: simplifyOrder, ir.OpSLt: simplifyOrder, ir.OpSLe: simplifyOrder,
		ir.OpPtrAdd: simplifyPtrAdd, ir.OpPtrDiff: simplifyPtrDiff, ir.OpIntToPtr: simplifyIntToPtr,
		ir.OpBswap: simplifyBswap, ir.OpCopy: simplifyCopy, ir.OpMapIndex: simplifyMapIndex,
	}
}

// run simplifies every value of f once.
func (s simplifier) run(f *ir.Func) bool {
	foldAddresses(f)
	s.uses = f.UseCounts()
	changed := false
	repl := map[*ir.Value]*ir.Value{}
	for _, b := range f.Blocks {
		out := make([]*ir.Value, 0, len(b.Values))
		for _, v := range b.Values {
			for i, a := range v.Args {
				for repl[a] != nil {
					a = repl[a]
				}
				v.Args[i] = a
			}
			n := len(b.Values)
			r := s.value(v)
			out = append(out, b.Values[n:]...) // operands that the rule made
			b.Values = b.Values[:n]
			switch {
			case r == nil || r == v:
				out = append(out, v)
				changed = changed || r == v
			default:
				if r.Block == b && !contains(out, r) {
					out = append(out, r)
				}
				repl[v] = r
				changed = true
			}
		}
		b.Values = out
		changed = simplifyControl(b) || changed
	}
	f.ReplaceUses(repl)
	return changed
}

func contains(list []*ir.Value, v *ir.Value) bool {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == v {
			return true
		}
	}
	return false
}

func (s simplifier) value(v *ir.Value) *ir.Value {
	if c, ok := ir.FoldConst(v); ok {
		return constant(v, v.Type, c)
	}
	if v.Op.IsCommutative() && v.Args[0].Op == ir.OpConst && v.Args[1].Op != ir.OpConst {
		v.Args[0], v.Args[1] = v.Args[1], v.Args[0]
	}
	if rule := rules[v.Op]; rule != nil {
		return rule(s, v)
	}
	return nil
}

// constant makes a constant beside v that is in no list yet.
func constant(v *ir.Value, t ir.Type, n int64) *ir.Value {
	c := v.Block.NewValue(ir.OpConst, t, v.Pos)
	c.Int = ir.SignExtend(n, t)
	return c
}

// operand makes a value in front of v.
func operand(v *ir.Value, op ir.Op, t ir.Type, args ...*ir.Value) *ir.Value {
	x := v.Block.NewValue(op, t, v.Pos, args...)
	v.Block.Values = append(v.Block.Values, x)
	return x
}

// intOperand makes a constant in front of v.
func intOperand(v *ir.Value, t ir.Type, n int64) *ir.Value {
	x := operand(v, ir.OpConst, t)
	x.Int = ir.SignExtend(n, t)
	return x
}

// rewrite turns v into another operation in place.
func rewrite(v *ir.Value, op ir.Op, args ...*ir.Value) *ir.Value {
	v.Op, v.Args = op, args
	return v
}

// isConst returns the constant value of v.
func isConst(v *ir.Value) (int64, bool) { return v.Int, v.Op == ir.OpConst }

func simplifyAdd(s simplifier, v *ir.Value) *ir.Value {
	x, y := v.Args[0], v.Args[1]
	n, ok := isConst(y)
	switch {
	case ok && n == 0:
		return x
	case ok && x.Op == ir.OpAdd && x.Args[1].Op == ir.OpConst && s.single(x):
		// Where x is used elsewhere it may have been compared, and the verifier
		// knows the sum from what it knows of x.
		return rewrite(v, ir.OpAdd, x.Args[0], intOperand(v, v.Type, n+x.Args[1].Int))
	case ok && v.Int == ir.Length && x.Op == ir.OpPtrDiff:
		return shorterDiff(v, x, intOperand(v, ir.I64, -n))
	}
	return nil
}

// shorterDiff makes the length v = (end - p) - n the difference end - (p+n), so
// that it is recognised as what the pointers of the slice say. With any other
// difference p+n might be a sum that the verifier refuses, or lie behind end.
func shorterDiff(v, diff, n *ir.Value) *ir.Value {
	v.Int = 0
	return rewrite(v, ir.OpPtrDiff, diff.Args[0], operand(v, ir.OpPtrAdd, ir.Ptr, diff.Args[1], n))
}

func simplifySub(_ simplifier, v *ir.Value) *ir.Value {
	x, y := v.Args[0], v.Args[1]
	if x == y {
		return constant(v, v.Type, 0)
	}
	if n, ok := isConst(y); ok {
		if n == 0 {
			return x
		}
		return rewrite(v, ir.OpAdd, x, intOperand(v, v.Type, -n))
	}
	switch {
	case x.IsConst(0):
		v.Int = 0
		return rewrite(v, ir.OpNeg, y)
	case v.Int == ir.Length && x.Op == ir.OpPtrDiff:
		return shorterDiff(v, x, y)
	}
	return nil
}

func simplifyMul(_ simplifier, v *ir.Value) *ir.Value {
	x := v.Args[0]
	n, ok := isConst(v.Args[1])
	switch {
	case !ok:
		return nil
	case n == 0:
		return constant(v, v.Type, 0)
	case n == 1:
		return x
	case n == -1:
		return rewrite(v, ir.OpNeg, x)
	}
	if u := ir.ZeroExtend(n, v.Type); u&(u-1) == 0 {
		return rewrite(v, ir.OpShl, x, intOperand(v, v.Type, int64(bits.TrailingZeros64(u))))
	}
	return nil
}

func simplifyUDiv(_ simplifier, v *ir.Value) *ir.Value {
	n, ok := isConst(v.Args[1])
	if !ok {
		return nil
	}
	u := ir.ZeroExtend(n, v.Type)
	switch {
	case u == 1:
		return v.Args[0]
	case u != 0 && u&(u-1) == 0:
		return rewrite(v, ir.OpLShr, v.Args[0], intOperand(v, v.Type, int64(bits.TrailingZeros64(u))))
	}
	return nil
}

func simplifyUMod(_ simplifier, v *ir.Value) *ir.Value {
	n, ok := isConst(v.Args[1])
	if !ok {
		return nil
	}
	if u := ir.ZeroExtend(n, v.Type); u != 0 && u&(u-1) == 0 {
		return rewrite(v, ir.OpAnd, v.Args[0], intOperand(v, v.Type, int64(u-1)))
	}
	return nil
}

func simplifyAnd(_ simplifier, v *ir.Value) *ir.Value {
	x, y := v.Args[0], v.Args[1]
	if x == y {
		return x
	}
	n, ok := isConst(y)
	if !ok {
		return nil
	}
	switch {
	case n == 0:
		return constant(v, v.Type, 0)
	case n == -1:
		return x
	case possibleBits(x)&^ir.ZeroExtend(n, v.Type) == 0:
		return x
	case x.Op == ir.OpAnd && x.Args[1].Op == ir.OpConst:
		return rewrite(v, ir.OpAnd, x.Args[0], intOperand(v, v.Type, n&x.Args[1].Int))
	}
	return nil
}

func simplifyOr(_ simplifier, v *ir.Value) *ir.Value {
	x, y := v.Args[0], v.Args[1]
	n, ok := isConst(y)
	switch {
	case x == y || ok && n == 0:
		return x
	case ok && n == -1:
		return constant(v, v.Type, -1)
	}
	return nil
}

func simplifyXor(_ simplifier, v *ir.Value) *ir.Value {
	x, y := v.Args[0], v.Args[1]
	if x == y {
		return constant(v, v.Type, 0)
	}
	n, ok := isConst(y)
	switch {
	case !ok:
		return nil
	case n == 0:
		return x
	case n == 1 && x.Op.IsCompare():
		return inverted(v, x)
	case x.Op == ir.OpXor && x.Args[1].Op == ir.OpConst:
		return rewrite(v, ir.OpXor, x.Args[0], intOperand(v, v.Type, n^x.Args[1].Int))
	}
	return nil
}

// inverted makes v the opposite of comparison x.
func inverted(v, x *ir.Value) *ir.Value {
	a, b := x.Args[0], x.Args[1]
	switch x.Op {
	case ir.OpEq:
		return rewrite(v, ir.OpNe, a, b)
	case ir.OpNe:
		return rewrite(v, ir.OpEq, a, b)
	case ir.OpULt:
		return rewrite(v, ir.OpULe, b, a)
	case ir.OpULe:
		return rewrite(v, ir.OpULt, b, a)
	case ir.OpSLt:
		return rewrite(v, ir.OpSLe, b, a)
	}
	return rewrite(v, ir.OpSLt, b, a)
}

func simplifyShift(_ simplifier, v *ir.Value) *ir.Value {
	x := v.Args[0]
	n, ok := isConst(v.Args[1])
	switch {
	case !ok:
		return nil
	case n == 0:
		return x
	case v.Op == ir.OpLShr && maxBits(x)>>uint64(n) == 0:
		return constant(v, v.Type, 0)
	}
	if x.Op != v.Op || x.Args[1].Op != ir.OpConst {
		return nil
	}
	sum := n + x.Args[1].Int
	switch {
	case sum < v.Type.Bits():
		return rewrite(v, v.Op, x.Args[0], intOperand(v, v.Type, sum))
	case v.Op == ir.OpAShr:
		return rewrite(v, v.Op, x.Args[0], intOperand(v, v.Type, v.Type.Bits()-1))
	}
	return constant(v, v.Type, 0)
}

func simplifyZext(s simplifier, v *ir.Value) *ir.Value {
	x := v.Args[0]
	switch {
	case x.Op == ir.OpZext:
		return rewrite(v, ir.OpZext, x.Args[0])
	case x.Op == ir.OpTrunc && x.Args[0].Type == v.Type && x.Type != ir.I32: // a 32-bit move does that
		mask := int64(ir.ZeroExtend(-1, x.Type))
		return rewrite(v, ir.OpAnd, x.Args[0], intOperand(v, v.Type, mask))
	}
	return nil
}

func simplifySext(_ simplifier, v *ir.Value) *ir.Value {
	x := v.Args[0]
	switch x.Op {
	case ir.OpSext:
		return rewrite(v, ir.OpSext, x.Args[0])
	case ir.OpZext: // its top bit is clear
		return rewrite(v, ir.OpZext, x.Args[0])
	}
	return nil
}

func simplifyTrunc(_ simplifier, v *ir.Value) *ir.Value {
	x := v.Args[0]
	switch x.Op {
	case ir.OpTrunc:
		return rewrite(v, ir.OpTrunc, x.Args[0])
	case ir.OpZext, ir.OpSext:
		switch from := x.Args[0]; {
		case from.Type == v.Type:
			return from
		case from.Type.Size() > v.Type.Size():
			return rewrite(v, ir.OpTrunc, from)
		default:
			return rewrite(v, x.Op, from)
		}
	case ir.OpAnd: // a mask that keeps all that the truncation keeps
		if n, ok := isConst(x.Args[1]); ok && ir.SignExtend(n, v.Type) == -1 {
			return rewrite(v, ir.OpTrunc, x.Args[0])
		}
	}
	return nil
}

// simplifyEquality handles == and !=.
func simplifyEquality(_ simplifier, v *ir.Value) *ir.Value {
	x, y := v.Args[0], v.Args[1]
	eq := v.Op == ir.OpEq
	if x == y {
		return constant(v, v.Type, boolInt(eq))
	}
	n, ok := isConst(y)
	if !ok {
		return nil
	}
	if n == 0 && x.Type == ir.Ptr && neverNil(x) {
		return constant(v, v.Type, boolInt(!eq))
	}
	if isBool(x) && x.Type != ir.I64 {
		if x.Type == v.Type && (n == 1) == eq && (n == 0 || n == 1) {
			return x
		}
		if x.Op.IsCompare() && (n == 0 || n == 1) {
			return inverted(v, x)
		}
	}
	// A comparison of the wide form of a narrow value is one of the value,
	// if the constant has that form too.
	if (x.Op == ir.OpZext && uint64(n) == ir.ZeroExtend(n, x.Args[0].Type)) && x.Args[0].Op.IsCompare() {
		return rewrite(v, v.Op, x.Args[0], intOperand(v, x.Args[0].Type, n))
	}
	if x.Op == ir.OpXor || x.Op == ir.OpAdd {
		if m, ok := isConst(x.Args[1]); ok {
			c := n ^ m
			if x.Op == ir.OpAdd {
				c = n - m
			}
			return rewrite(v, v.Op, x.Args[0], intOperand(v, x.Type, c))
		}
	}
	return nil
}

// neverNil reports whether pointer v can't be nil by the way it was made.
func neverNil(v *ir.Value) bool {
	switch v.Op {
	case ir.OpSlotAddr, ir.OpGlobalAddr, ir.OpMapAddr, ir.OpFuncAddr, ir.OpCtxPtr, ir.OpPtrAdd:
		return true
	case ir.OpParam: // a program's is the context
		f := v.Block.Func
		return f.Prog != nil || v.Int < int64(len(f.NotNil)) && f.NotNil[v.Int]
	}
	return false
}

// isBool reports whether v is 0 or 1.
func isBool(v *ir.Value) bool { return v.Op.IsCompare() || v.Type != ir.Ptr && maxBits(v) <= 1 }

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func simplifyOrder(_ simplifier, v *ir.Value) *ir.Value {
	x, y := v.Args[0], v.Args[1]
	if x == y {
		return constant(v, v.Type, boolInt(v.Op == ir.OpULe || v.Op == ir.OpSLe))
	}
	if x.Type == ir.Ptr {
		return nil
	}
	unsigned := v.Op == ir.OpULt || v.Op == ir.OpULe
	if n, ok := isConst(y); ok && unsigned {
		return orderConst(v, x, ir.ZeroExtend(n, x.Type))
	}
	if n, ok := isConst(x); ok && unsigned {
		return constOrder(v, ir.ZeroExtend(n, x.Type), y)
	}
	return nil
}

// orderConst handles x < n and x <= n for unsigned constants.
func orderConst(v, x *ir.Value, n uint64) *ir.Value {
	top := maxBits(x)
	if v.Op == ir.OpULt && top < n || v.Op == ir.OpULe && top <= n {
		return constant(v, v.Type, 1)
	}
	if v.Op == ir.OpULt && n == 0 {
		return constant(v, v.Type, 0)
	}
	return nil
}

// constOrder handles n < y and n <= y for unsigned constants. 0 < y stays as it
// is: up to Linux 6.1 the verifier learns y >= 1 from an order, not from y != 0.
func constOrder(v *ir.Value, n uint64, y *ir.Value) *ir.Value {
	top := maxBits(y)
	if v.Op == ir.OpULt && top <= n || v.Op == ir.OpULe && top < n {
		return constant(v, v.Type, 0)
	}
	if v.Op == ir.OpULe && n == 0 {
		return constant(v, v.Type, 1)
	}
	return nil
}

// simplifyPtrAdd collects constants at the outer end of a chain, so that
// pointers with the same variable part share one value: the verifier then
// gives them one id, and one comparison bounds them all.
func simplifyPtrAdd(_ simplifier, v *ir.Value) *ir.Value {
	p, n := v.Args[0], v.Args[1]
	c, ok := isConst(n)
	switch {
	case ok && c == 0:
		return p
	case ok && p.Op == ir.OpPtrAdd && p.Args[1].Op == ir.OpConst:
		return rewrite(v, ir.OpPtrAdd, p.Args[0], intOperand(v, ir.I64, c+p.Args[1].Int))
	case !ok && p.Op == ir.OpPtrAdd && p.Args[1].Op == ir.OpConst:
		inner := operand(v, ir.OpPtrAdd, ir.Ptr, p.Args[0], n)
		return rewrite(v, ir.OpPtrAdd, inner, intOperand(v, ir.I64, p.Args[1].Int))
	}
	return nil
}

func simplifyPtrDiff(_ simplifier, v *ir.Value) *ir.Value {
	if v.Args[0] == v.Args[1] {
		return constant(v, ir.I64, 0)
	}
	return nil
}

func simplifyIntToPtr(_ simplifier, v *ir.Value) *ir.Value {
	if v.Args[0].Op == ir.OpPtrToInt {
		return v.Args[0].Args[0]
	}
	if v.Args[0].IsConst(0) {
		return constant(v, ir.Ptr, 0)
	}
	return nil
}

func simplifyBswap(_ simplifier, v *ir.Value) *ir.Value {
	x := v.Args[0]
	if x.Op == ir.OpBswap && x.Int == v.Int && x.Type == v.Type && v.Int == v.Type.Bits() {
		return x.Args[0]
	}
	return nil
}

func simplifyMapIndex(_ simplifier, v *ir.Value) *ir.Value {
	m, ok := v.Args[0].Aux.(*ir.Map)
	if !ok {
		return nil
	}
	for i, x := range v.Block.Func.Module.Maps {
		if x == m {
			return constant(v, ir.I32, int64(i))
		}
	}
	panic("BUG: map is not in its module")
}

// simplifyControl folds an inverted or widened condition into the branch.
func simplifyControl(b *ir.Block) bool {
	if b.Term != ir.TermIf {
		return false
	}
	c := b.Control
	switch {
	case c.Op == ir.OpXor && c.Args[1].IsConst(1) && isBool(c.Args[0]):
		b.Control = c.Args[0]
		b.Succs[0], b.Succs[1] = b.Succs[1], b.Succs[0]
		b.Likely = -b.Likely
		return true
	case c.Op == ir.OpZext:
		b.Control = c.Args[0]
		return true
	}
	return false
}

func simplifyCopy(_ simplifier, v *ir.Value) *ir.Value { return v.Args[0] }
