package pass

import (
	"math/bits"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// This file has the rules for arithmetic, logic and shifts.

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
	case x.Op == ir.OpAdd && x.Args[0] == y: // the length of a[y : y+n]
		return x.Args[1]
	case x.Op == ir.OpAdd && x.Args[1] == y:
		return x.Args[0]
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

func simplifyBswap(_ simplifier, v *ir.Value) *ir.Value {
	x := v.Args[0]
	if x.Op == ir.OpBswap && x.Int == v.Int && x.Type == v.Type && v.Int == v.Type.Bits() {
		return x.Args[0]
	}
	return nil
}
