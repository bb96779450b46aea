package interp

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// aluFunc computes one operation on values cut to their widths; what it returns is
// cut to that of v.
type aluFunc func(v *ir.Value, x, y uint64) (uint64, error)

var alu = map[ir.Op]aluFunc{
	ir.OpAdd:  wraps(func(x, y uint64) uint64 { return x + y }),
	ir.OpSub:  wraps(func(x, y uint64) uint64 { return x - y }),
	ir.OpMul:  wraps(func(x, y uint64) uint64 { return x * y }),
	ir.OpAnd:  wraps(func(x, y uint64) uint64 { return x & y }),
	ir.OpOr:   wraps(func(x, y uint64) uint64 { return x | y }),
	ir.OpXor:  wraps(func(x, y uint64) uint64 { return x ^ y }),
	ir.OpNeg:  wraps(func(x, _ uint64) uint64 { return -x }),
	ir.OpCopy: wraps(func(x, _ uint64) uint64 { return x }),
	ir.OpZext: wraps(func(x, _ uint64) uint64 { return x }),

	ir.OpTrunc:    wraps(func(x, _ uint64) uint64 { return x }),
	ir.OpPtrToInt: wraps(func(x, _ uint64) uint64 { return x }),
	ir.OpIntToPtr: wraps(func(x, _ uint64) uint64 { return x }),
	ir.OpPtrAdd:   wraps(func(x, y uint64) uint64 { return x + y }),
	ir.OpPtrDiff:  wraps(func(x, y uint64) uint64 { return x - y }),

	ir.OpSext: func(v *ir.Value, x, _ uint64) (uint64, error) {
		return uint64(signed(x, v.Args[0].Type)), nil
	},
	ir.OpBswap: func(v *ir.Value, x, _ uint64) (uint64, error) {
		return bits.ReverseBytes64(x) >> (64 - v.Int), nil
	},

	ir.OpUDiv: divides(func(x, y uint64) uint64 { return x / y }),
	ir.OpUMod: divides(func(x, y uint64) uint64 { return x % y }),
	ir.OpSDiv: dividesSigned(func(x, y int64) int64 { return x / y }),
	ir.OpSMod: dividesSigned(func(x, y int64) int64 { return x % y }),

	ir.OpShl:  shifts(func(_ ir.Type, x, n uint64) uint64 { return x << n }),
	ir.OpLShr: shifts(func(_ ir.Type, x, n uint64) uint64 { return x >> n }),
	ir.OpAShr: shifts(func(t ir.Type, x, n uint64) uint64 { return uint64(signed(x, t) >> n) }),

	ir.OpEq:  compares(func(x, y uint64) bool { return x == y }),
	ir.OpNe:  compares(func(x, y uint64) bool { return x != y }),
	ir.OpULt: compares(func(x, y uint64) bool { return x < y }),
	ir.OpULe: compares(func(x, y uint64) bool { return x <= y }),
	ir.OpSLt: comparesSigned(func(x, y int64) bool { return x < y }),
	ir.OpSLe: comparesSigned(func(x, y int64) bool { return x <= y }),
}

func wraps(f func(x, y uint64) uint64) aluFunc {
	return func(_ *ir.Value, x, y uint64) (uint64, error) { return f(x, y), nil }
}

var errDivide = errors.New("division by zero")

func divides(f func(x, y uint64) uint64) aluFunc {
	return func(_ *ir.Value, x, y uint64) (uint64, error) {
		if y == 0 {
			return 0, errDivide
		}
		return f(x, y), nil
	}
}

func dividesSigned(f func(x, y int64) int64) aluFunc {
	return func(v *ir.Value, x, y uint64) (uint64, error) {
		if y == 0 {
			return 0, errDivide
		}
		t := v.Args[0].Type
		return uint64(f(signed(x, t), signed(y, t))), nil
	}
}

// shifts masks counts of whole registers, as the machine does: legal IR counts on
// it where a count's upper bits are unspecified.
func shifts(f func(t ir.Type, x, n uint64) uint64) aluFunc {
	return func(v *ir.Value, x, n uint64) (uint64, error) {
		width := uint64(v.Type.Bits())
		if n >= width && width < 32 {
			return 0, fmt.Errorf("shift by %d", n)
		}
		return f(v.Type, x, n&(width-1)), nil
	}
}

func compares(f func(x, y uint64) bool) aluFunc {
	return func(_ *ir.Value, x, y uint64) (uint64, error) { return number(f(x, y)), nil }
}

func comparesSigned(f func(x, y int64) bool) aluFunc {
	return func(v *ir.Value, x, y uint64) (uint64, error) {
		t := v.Args[0].Type
		return number(f(signed(x, t), signed(y, t))), nil
	}
}

func number(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
