package ir

import "math/bits"

// SignExtend returns n cut to the width of t and sign-extended, the form in
// which OpConst keeps its value.
func SignExtend(n int64, t Type) int64 {
	switch t {
	case I8:
		return int64(int8(n))
	case I16:
		return int64(int16(n))
	case I32:
		return int64(int32(n))
	}
	return n
}

// ZeroExtend returns the low bits of n at the width of t.
func ZeroExtend(n int64, t Type) uint64 {
	switch t {
	case I8:
		return uint64(uint8(n))
	case I16:
		return uint64(uint16(n))
	case I32:
		return uint64(uint32(n))
	}
	return uint64(n)
}

// FoldConst evaluates v if all its operands are constants. The result is
// sign-extended from v's type.
func FoldConst(v *Value) (int64, bool) {
	if len(v.Args) == 0 || len(v.Args) > 2 || !v.Op.IsPure() || v.Type == Ptr {
		return 0, false
	}
	for _, a := range v.Args {
		if a.Op != OpConst {
			return 0, false
		}
	}
	x, t := v.Args[0].Int, v.Args[0].Type
	if len(v.Args) == 1 {
		r, ok := foldUnary(v, x, t)
		return SignExtend(r, v.Type), ok
	}
	r, ok := foldBinary(v.Op, t, x, v.Args[1].Int)
	return SignExtend(r, v.Type), ok
}

func foldUnary(v *Value, x int64, t Type) (int64, bool) {
	switch v.Op {
	case OpNeg:
		return -x, true
	case OpZext:
		return int64(ZeroExtend(x, t)), true
	case OpSext, OpTrunc, OpCopy, OpPtrToInt:
		return x, true
	case OpBswap:
		return int64(bits.ReverseBytes64(uint64(x)) >> (64 - v.Int)), true
	}
	return 0, false
}

func foldBinary(op Op, t Type, x, y int64) (int64, bool) {
	ux, uy := ZeroExtend(x, t), ZeroExtend(y, t)
	switch op {
	case OpAdd:
		return x + y, true
	case OpSub:
		return x - y, true
	case OpMul:
		return x * y, true
	case OpAnd:
		return x & y, true
	case OpOr:
		return x | y, true
	case OpXor:
		return x ^ y, true
	case OpUDiv, OpUMod, OpSDiv, OpSMod:
		return foldDiv(op, x, y, ux, uy)
	case OpShl, OpLShr, OpAShr:
		if uy >= uint64(t.Bits()) {
			return 0, false
		}
		switch op {
		case OpShl:
			return x << uy, true
		case OpLShr:
			return int64(ux >> uy), true
		}
		return x >> uy, true
	}
	return foldCompare(op, x, y, ux, uy)
}

func foldDiv(op Op, x, y int64, ux, uy uint64) (int64, bool) {
	if y == 0 {
		return 0, false
	}
	switch op {
	case OpUDiv:
		return int64(ux / uy), true
	case OpUMod:
		return int64(ux % uy), true
	case OpSDiv:
		return x / y, true
	}
	return x % y, true
}

func foldCompare(op Op, x, y int64, ux, uy uint64) (int64, bool) {
	var r bool
	switch op {
	case OpEq:
		r = x == y
	case OpNe:
		r = x != y
	case OpULt:
		r = ux < uy
	case OpULe:
		r = ux <= uy
	case OpSLt:
		r = x < y
	case OpSLe:
		r = x <= y
	default:
		return 0, false
	}
	if r {
		return 1, true
	}
	return 0, true
}
