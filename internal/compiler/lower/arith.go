package lower

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// isSigned reports whether t is a signed integer type.
func isSigned(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsInteger != 0 && b.Info()&types.IsUnsigned == 0
}

// plainOps are the operators that mean the same for both signs and check
// nothing.
var plainOps = map[token.Token]ir.Op{
	token.ADD: ir.OpAdd, token.SUB: ir.OpSub, token.MUL: ir.OpMul,
	token.AND: ir.OpAnd, token.OR: ir.OpOr, token.XOR: ir.OpXor,
}

func (f *fn) binop(in *ssa.BinOp) *ir.Value {
	switch in.Op {
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		return f.compare(in)
	case token.SHL, token.SHR:
		return f.shift(in)
	case token.QUO, token.REM:
		return f.divide(in)
	}
	if b, ok := in.X.Type().Underlying().(*types.Basic); ok && b.Info()&types.IsString != 0 {
		f.fail(in.Pos(), subset.NoForm, "use byte arrays", "strings can't be built in kernel code")
	}
	x, y := f.value(in.X)[0], f.value(in.Y)[0]
	if in.Op == token.AND_NOT {
		return f.op(ir.OpAnd, x.Type, x, f.op(ir.OpXor, y.Type, y, f.constant(y.Type, -1)))
	}
	return f.op(plainOps[in.Op], x.Type, x, y)
}

func (f *fn) divide(in *ssa.BinOp) *ir.Value {
	x, y := f.value(in.X)[0], f.value(in.Y)[0]
	f.check(f.op(ir.OpNe, ir.I8, y, f.constant(y.Type, 0)), ir.FaultDivide, in.Pos())
	op := ir.OpUDiv
	switch signed := isSigned(in.Type()); {
	case signed && in.Op == token.QUO:
		op = ir.OpSDiv
	case signed:
		op = ir.OpSMod
	case in.Op == token.REM:
		op = ir.OpUMod
	}
	return f.op(op, x.Type, x, y)
}

// shift follows Go: a count of the width or more shifts everything out, a
// negative count is a fault. BPF masks the count, so the large counts need a
// branch of their own unless the count is known to be small.
func (f *fn) shift(in *ssa.BinOp) *ir.Value {
	x, n := f.value(in.X)[0], f.value(in.Y)[0]
	width := x.Type.Bits()
	signed := in.Op == token.SHR && isSigned(in.X.Type())
	op := ir.OpShl
	switch {
	case signed:
		op = ir.OpAShr
	case in.Op == token.SHR:
		op = ir.OpLShr
	}
	if isSigned(in.Y.Type()) {
		f.check(f.op(ir.OpSLe, ir.I8, f.constant(n.Type, 0), n), ir.FaultShift, in.Pos())
	}
	if n.Op == ir.OpConst {
		return f.shiftConst(op, x, n.Int, width)
	}
	if bound, ok := maskBound(n); ok && bound < width {
		return f.op(op, x.Type, x, f.resize(n, x.Type, false))
	}
	wide := f.resize(n, ir.I64, false)
	small, large := f.branch(f.op(ir.OpULt, ir.I8, wide, f.constant(ir.I64, width)))
	join := f.ir.NewBlock()
	f.cur = small
	a := f.op(op, x.Type, x, f.resize(wide, x.Type, false))
	f.cur.SetJump(join)
	f.cur = large
	b := f.shiftConst(op, x, width, width)
	f.cur.SetJump(join)
	f.cur = join
	return f.phi(x.Type, a, b)
}

func (f *fn) shiftConst(op ir.Op, x *ir.Value, n, width int64) *ir.Value {
	if uint64(n) >= uint64(width) {
		if op != ir.OpAShr {
			return f.constant(x.Type, 0)
		}
		n = width - 1
	}
	return f.op(op, x.Type, x, f.constant(x.Type, n))
}

// maskBound returns the largest value of an AND with a constant.
func maskBound(v *ir.Value) (int64, bool) {
	for v.Op == ir.OpZext || v.Op == ir.OpTrunc {
		v = v.Args[0]
	}
	if v.Op == ir.OpAnd && v.Args[1].Op == ir.OpConst && v.Args[1].Int >= 0 {
		return v.Args[1].Int, true
	}
	return 0, false
}

// resize converts an integer to type t, extending by its sign if signed.
func (f *fn) resize(v *ir.Value, t ir.Type, signed bool) *ir.Value {
	switch {
	case v.Type == t:
		return v
	case v.Type.Size() > t.Size():
		return f.op(ir.OpTrunc, t, v)
	case signed:
		return f.op(ir.OpSext, t, v)
	}
	return f.op(ir.OpZext, t, v)
}

// convert lowers the conversions that may change bits.
func (f *fn) convert(in *ssa.Convert) rep {
	from, to := in.X.Type().Underlying(), in.Type().Underlying()
	if isInteger(from) && isInteger(to) {
		x := f.value(in.X)[0]
		return rep{f.resize(x, f.layout(in.Type()).leaves[0].typ, isSigned(in.X.Type()))}
	}
	if isSliceOrString(from) && isSliceOrString(to) {
		return f.convertString(in)
	}
	fromPtr, toPtr := isPointer(from), isPointer(to)
	x := f.value(in.X)
	switch {
	case fromPtr && toPtr:
		return x
	case fromPtr && isInteger(to):
		return rep{f.op(ir.OpPtrToInt, ir.I64, x[0])}
	case isInteger(from) && toPtr:
		return rep{f.op(ir.OpIntToPtr, ir.Ptr, f.resize(x[0], ir.I64, false))}
	}
	f.fail(in.Pos(), subset.NoForm, "see docs/subset.md", "can't convert %s to %s in kernel code", in.X.Type(), in.Type())
	return nil
}

func isInteger(t types.Type) bool {
	b, ok := t.(*types.Basic)
	return ok && b.Info()&types.IsInteger != 0
}

func isPointer(t types.Type) bool {
	if _, ok := t.(*types.Pointer); ok {
		return true
	}
	b, ok := t.(*types.Basic)
	return ok && b.Kind() == types.UnsafePointer
}

// changeType keeps the representation; what a packet slice may not become is
// checked where it is stored or joined.
func (f *fn) changeType(in *ssa.ChangeType) rep {
	if f.m.isPacketType(in.Type()) && isSliceOrString(in.X.Type()) && !f.isPacket(in.X) {
		if isNilConst(in.X) {
			return f.zeroValue(in.Type(), true)
		}
		f.fail(in.Pos(), subset.PlainToPacket, "take a []byte where both kinds must do", "a plain slice can't become a packet slice")
	}
	return f.value(in.X)
}
