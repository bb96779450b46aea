package pass

import (
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// This file has the rules for conversions and pointers.

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

func simplifyCopy(_ simplifier, v *ir.Value) *ir.Value {
	if v.Int != 0 {
		return nil
	}
	return v.Args[0]
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
