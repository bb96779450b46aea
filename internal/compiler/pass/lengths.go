package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// maxLength bounds the lengths that comparePointers understands.
const maxLength = 0x7fff

// comparePointers turns comparisons of a packet slice's length with constants
// into comparisons of pointers: len(b) < n is end < b+n. Only those tell the
// verifier how much there is to read, so checks behind them become redundant. A
// length that is used in any other way stays a number, whose bounds matter.
func comparePointers(f *ir.Func) {
	number := map[*ir.Value]bool{}
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			for _, a := range v.Args {
				if a.Op == ir.OpPtrDiff && !isLengthTest(v) {
					number[a] = true
				}
			}
		}
		for _, r := range b.Rets {
			number[r] = true
		}
	}
	for _, b := range f.Blocks {
		var values []*ir.Value
		for _, v := range b.Values {
			for _, diff := range v.Args {
				if diff.Op == ir.OpPtrDiff && !number[diff] && isLengthTest(v) {
					values = append(values, asPointers(v, diff)...)
					break
				}
			}
			values = append(values, v)
		}
		b.Values = values
	}
}

// isLengthTest reports whether v orders a length and a constant.
func isLengthTest(v *ir.Value) bool {
	switch v.Op {
	case ir.OpULt, ir.OpULe, ir.OpSLt, ir.OpSLe:
		for i, a := range v.Args {
			n, ok := isConst(v.Args[1-i])
			if a.Op == ir.OpPtrDiff && ok && 0 <= n && n < maxLength {
				return true
			}
		}
	}
	return false
}

// asPointers rewrites v, an order of diff = end-p and a constant, and returns the
// values that it needs in front of it.
func asPointers(v, diff *ir.Value) []*ir.Value {
	end, p := diff.Args[0], diff.Args[1]
	less := v.Op == ir.OpULt || v.Op == ir.OpSLt
	n := v.Block.NewValue(ir.OpConst, ir.I64, v.Pos)
	limit := v.Block.NewValue(ir.OpPtrAdd, ir.Ptr, v.Pos, p, n)
	if v.Args[0] == diff { // end-p < n: end < p+n; end-p <= n: end < p+n+1
		n.Int = v.Args[1].Int
		if !less {
			n.Int++
		}
		v.Op, v.Args = ir.OpULt, []*ir.Value{end, limit}
	} else { // n < end-p: p+n+1 <= end; n <= end-p: p+n <= end
		n.Int = v.Args[0].Int
		if less {
			n.Int++
		}
		v.Op, v.Args = ir.OpULe, []*ir.Value{limit, end}
	}
	return []*ir.Value{n, limit}
}
