package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// maxBits returns an upper bound of v as an unsigned number, from the kind of
// operation alone; the verifier derives the same bounds.
func maxBits(v *ir.Value) uint64 { return maxBitsDepth(v, 4) }

func maxBitsDepth(v *ir.Value, depth int) uint64 {
	all := ir.ZeroExtend(-1, v.Type)
	if v.Type == ir.Ptr || depth == 0 {
		return ^uint64(0)
	}
	arg := func(i int) uint64 { return maxBitsDepth(v.Args[i], depth-1) }
	switch v.Op {
	case ir.OpConst:
		return ir.ZeroExtend(v.Int, v.Type)
	case ir.OpEq, ir.OpNe, ir.OpULt, ir.OpULe, ir.OpSLt, ir.OpSLe:
		return 1
	case ir.OpZext:
		return arg(0)
	case ir.OpLoad:
		return ir.ZeroExtend(-1, loadType(v))
	case ir.OpTrunc:
		return min(arg(0), all)
	case ir.OpAnd:
		return min(arg(0), arg(1))
	case ir.OpOr, ir.OpXor:
		return min(fillBits(arg(0)|arg(1)), all)
	case ir.OpLShr:
		if v.Args[1].Op == ir.OpConst {
			return arg(0) >> uint64(v.Args[1].Int)
		}
		return arg(0)
	case ir.OpShl:
		if n := v.Args[1]; n.Op == ir.OpConst {
			if m := arg(0); m<<uint64(n.Int)>>uint64(n.Int) == m {
				return min(m<<uint64(n.Int), all)
			}
		}
	case ir.OpAdd:
		if a, b := arg(0), arg(1); a <= all && b <= all-a {
			return a + b
		}
	case ir.OpMul:
		if a, b := arg(0), arg(1); a < 1<<31 && b < 1<<31 && a*b <= all {
			return a * b
		}
	case ir.OpBswap:
		if v.Int == 16 {
			return 0xffff
		}
	case ir.OpPhi:
		if v.Bound != 0 {
			return v.Bound - 1
		}
	}
	return all
}

// boundPhis computes upper bounds of phis: optimistically none at first, then
// the largest operand, until nothing grows. What keeps growing, as a counter
// does, becomes unknown.
func boundPhis(f *ir.Func) {
	var phis []*ir.Value
	for _, b := range f.Blocks {
		for _, phi := range b.Phis() {
			switch {
			case phi.Limit != 0:
				phi.Bound = phi.Limit
			case phi.Type.IsInt():
				phi.Bound = 1
				phis = append(phis, phi)
			}
		}
	}
	const patience = 4 // rounds before a growing bound is given up
	for round := 0; ; round++ {
		changed := false
		for _, phi := range phis {
			m := uint64(0)
			for _, a := range phi.Args {
				m = max(m, maxBits(a))
			}
			if phi.Bound == 0 || m <= phi.Bound-1 {
				continue
			}
			changed = true
			if all := ir.ZeroExtend(-1, phi.Type); round >= patience || m >= all {
				phi.Bound = 0
			} else {
				phi.Bound = m + 1
			}
		}
		if !changed {
			return
		}
	}
}

// forgetBounds drops the bounds before the widths of values change.
func forgetBounds(f *ir.Func) {
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			v.Bound, v.Limit = 0, 0
		}
	}
}

// possibleBits returns a mask of the bits that may be set in v.
func possibleBits(v *ir.Value) uint64 { return fillBits(maxBits(v)) }

// fillBits sets every bit below the highest one of m.
func fillBits(m uint64) uint64 {
	for s := uint(1); s < 64; s <<= 1 {
		m |= m >> s
	}
	return m
}
