package pass

import (
	"math/bits"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// legalize rewrites what BPF can't do: arithmetic on 8 and 16 bits, and signed
// division. Narrow values become I32 whose upper bits are unspecified; where an
// operation looks at them, they are extended first. Narrow loads and stores
// keep their width in Aux. A value keeps its narrow type until all of them are
// through, because its uses go by that.
func legalize(f *ir.Func) {
	forgetBounds(f)
	fs := narrowForms(f)
	for _, b := range f.Blocks {
		l := legalizer{b: b, forms: fs}
		for _, v := range b.Values {
			l.value(v)
		}
		l.control()
		b.Values = l.out
	}
	fs.impose(f)
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			if v.Type == ir.I8 || v.Type == ir.I16 {
				v.Type = ir.I32
			}
		}
	}
	for i, t := range f.Results {
		if t == ir.I8 || t == ir.I16 {
			f.Results[i] = ir.I32
		}
	}
}

type legalizer struct {
	b     *ir.Block
	out   []*ir.Value
	forms forms
}

// emit makes a value in front of the one being legalised.
func (l *legalizer) emit(op ir.Op, t ir.Type, like *ir.Value, args ...*ir.Value) *ir.Value {
	x := l.b.NewValue(op, t, like.Pos, args...)
	l.out = append(l.out, x)
	return x
}

func (l *legalizer) constant(t ir.Type, n int64, like *ir.Value) *ir.Value {
	x := l.emit(ir.OpConst, t, like)
	x.Int = ir.SignExtend(n, t)
	return x
}

func narrow(t ir.Type) bool { return t == ir.I8 || t == ir.I16 }

// zeroed returns narrow value x as an I32 with clear upper bits.
func (l *legalizer) zeroed(x, like *ir.Value) *ir.Value {
	mask := int64(ir.ZeroExtend(-1, x.Type))
	if x.Op == ir.OpConst {
		return l.constant(ir.I32, int64(ir.ZeroExtend(x.Int, x.Type)), like)
	}
	if l.forms.isZero(x) {
		return x
	}
	return l.emit(ir.OpAnd, ir.I32, like, x, l.constant(ir.I32, mask, like))
}

// signed returns narrow value x as a sign-extended I32.
func (l *legalizer) signed(x, like *ir.Value) *ir.Value {
	if x.Op == ir.OpConst {
		return l.constant(ir.I32, x.Int, like)
	}
	if l.forms[x] == signForm {
		return x
	}
	n := l.constant(ir.I32, 32-x.Type.Bits(), like)
	return l.emit(ir.OpAShr, ir.I32, like, l.emit(ir.OpShl, ir.I32, like, x, n), n)
}

// extend makes every narrow operand of v a whole I32.
func (l *legalizer) extend(v *ir.Value, how func(x, like *ir.Value) *ir.Value) {
	for i, a := range v.Args {
		if narrow(a.Type) {
			v.Args[i] = how(a, v)
		}
	}
}

func (l *legalizer) value(v *ir.Value) {
	switch v.Op {
	case ir.OpLoad:
		if narrow(v.Type) {
			v.Aux = v.Type
		}
	case ir.OpStore:
		if narrow(v.Args[1].Type) {
			v.Aux = v.Args[1].Type
		}
	case ir.OpEq, ir.OpNe, ir.OpULt, ir.OpULe, ir.OpLShr, ir.OpUDiv, ir.OpUMod:
		l.extend(v, l.zeroed)
	case ir.OpSLt, ir.OpSLe, ir.OpAShr:
		l.extend(v, l.signed)
	case ir.OpZext, ir.OpSext:
		l.extension(v)
		return
	case ir.OpTrunc:
		if narrow(v.Args[0].Type) || v.Args[0].Type == ir.I32 {
			v.Op = ir.OpCopy // only the promise changes
		}
	case ir.OpSDiv, ir.OpSMod:
		l.extend(v, l.signed)
		l.signedDivide(v)
		return
	}
	l.out = append(l.out, v)
}

// control clears what a branch would see above the bits of its condition.
func (l *legalizer) control() {
	if c := l.b.Control; c != nil && narrow(c.Type) {
		l.b.Control = l.zeroed(c, c)
	}
}

// extension legalises a widening.
func (l *legalizer) extension(v *ir.Value) {
	x := v.Args[0]
	if !narrow(x.Type) {
		l.out = append(l.out, v)
		return
	}
	if v.Op == ir.OpZext {
		w := l.zeroed(x, v)
		if v.Type == ir.I64 {
			v.Args[0] = w
		} else {
			rewrite(v, ir.OpCopy, w)
		}
		l.out = append(l.out, v)
		return
	}
	t := v.Type
	if t != ir.I64 {
		rewrite(v, ir.OpCopy, l.signed(x, v))
		l.out = append(l.out, v)
		return
	}
	n := l.constant(ir.I64, 64-x.Type.Bits(), v)
	wide := l.emit(ir.OpZext, ir.I64, v, x)
	rewrite(v, ir.OpAShr, l.emit(ir.OpShl, ir.I64, v, wide, n), n)
	l.out = append(l.out, v)
}

// signedDivide expands a signed division, which BPF has only since v4 (Linux
// 6.6): divide the magnitudes, then give the result its sign.
func (l *legalizer) signedDivide(v *ir.Value) {
	t := v.Args[0].Type
	if narrow(t) {
		t = ir.I32
	}
	x, y := v.Args[0], v.Args[1]
	if n, ok := isConst(y); ok && l.divideByPower(v, t, x, n) {
		l.out = append(l.out, v)
		return
	}
	sx, ax := l.magnitude(x, t, v)
	if v.Op == ir.OpSMod {
		_, ay := l.magnitude(y, t, v)
		r := l.emit(ir.OpUMod, t, v, ax, ay)
		rewrite(v, ir.OpSub, l.emit(ir.OpXor, t, v, r, sx), sx)
	} else {
		sy, ay := l.magnitude(y, t, v)
		q := l.emit(ir.OpUDiv, t, v, ax, ay)
		s := sx
		if !sy.IsConst(0) {
			s = l.emit(ir.OpXor, t, v, sx, sy)
		}
		rewrite(v, ir.OpSub, l.emit(ir.OpXor, t, v, q, s), s)
	}
	l.out = append(l.out, v)
}

// magnitude returns the sign of x, 0 or -1, and its absolute value as unsigned
// number, which is right for the smallest integer too.
func (l *legalizer) magnitude(x *ir.Value, t ir.Type, like *ir.Value) (sign, abs *ir.Value) {
	if n, ok := isConst(x); ok {
		if n >= 0 {
			return l.constant(t, 0, like), l.constant(t, n, like)
		}
		return l.constant(t, -1, like), l.constant(t, -n, like)
	}
	sign = l.emit(ir.OpAShr, t, like, x, l.constant(t, t.Bits()-1, like))
	abs = l.emit(ir.OpSub, t, like, l.emit(ir.OpXor, t, like, x, sign), sign)
	return sign, abs
}

// divideByPower handles x / 2^k and x % 2^k: add 2^k-1 to negative numbers,
// then shift, because Go rounds toward zero.
func (l *legalizer) divideByPower(v *ir.Value, t ir.Type, x *ir.Value, n int64) bool {
	if n <= 0 || n&(n-1) != 0 {
		return false
	}
	k := int64(bits.TrailingZeros64(uint64(n)))
	if k == 0 {
		if v.Op == ir.OpSDiv {
			rewrite(v, ir.OpCopy, x)
		} else {
			v.Reset(ir.OpConst)
		}
		return true
	}
	sign := l.emit(ir.OpAShr, t, v, x, l.constant(t, t.Bits()-1, v))
	bias := l.emit(ir.OpLShr, t, v, sign, l.constant(t, t.Bits()-k, v))
	sum := l.emit(ir.OpAdd, t, v, x, bias)
	if v.Op == ir.OpSDiv {
		rewrite(v, ir.OpAShr, sum, l.constant(t, k, v))
	} else {
		low := l.emit(ir.OpAnd, t, v, sum, l.constant(t, n-1, v))
		rewrite(v, ir.OpSub, low, bias)
	}
	return true
}
