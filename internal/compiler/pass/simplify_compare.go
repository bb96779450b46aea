package pass

import (
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// This file has the rules for comparisons and the branches they control.

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
	case c.Op == ir.OpEq && c.Args[0].Type == ir.Ptr && c.Args[1].IsConst(0):
		// One form for all tests for nil, so that the second of a pointer is
		// known to repeat the first: up to Linux 6.1 the verifier does not
		// decide a second test of a ring buffer record.
		b.Control = b.NewValue(ir.OpNe, c.Type, c.Pos, c.Args...)
		b.Values = append(b.Values, b.Control)
		b.Succs[0], b.Succs[1] = b.Succs[1], b.Succs[0]
		b.Likely = -b.Likely
		return true
	}
	return false
}
