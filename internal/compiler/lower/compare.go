package lower

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// compare lowers the comparison operators.
func (f *fn) compare(in *ssa.BinOp) *ir.Value {
	t := in.X.Type()
	if b, ok := t.Underlying().(*types.Basic); ok && b.Info()&types.IsString != 0 {
		return f.compareStrings(in)
	}
	x, y := f.value(in.X), f.value(in.Y)
	switch in.Op {
	case token.EQL:
		return f.equal(x, y, t)
	case token.NEQ:
		if !f.layout(t).inMemory && len(x) == 1 {
			return f.op(ir.OpNe, ir.I8, x[0], y[0])
		}
		return f.op(ir.OpXor, ir.I8, f.equal(x, y, t), f.constant(ir.I8, 1))
	}
	a, b := x[0], y[0]
	if in.Op == token.GTR || in.Op == token.GEQ {
		a, b = b, a
	}
	strict := in.Op == token.LSS || in.Op == token.GTR
	return f.op(orderOp(strict, isSigned(t)), ir.I8, a, b)
}

func orderOp(strict, signed bool) ir.Op {
	switch {
	case strict && signed:
		return ir.OpSLt
	case strict:
		return ir.OpULt
	case signed:
		return ir.OpSLe
	}
	return ir.OpULe
}

// equal compares two values of type t for equality.
func (f *fn) equal(x, y rep, t types.Type) *ir.Value {
	if f.layout(t).inMemory {
		return f.equalMemory(x[0], y[0], t)
	}
	if isSliceOrString(t) {
		return f.isNil(x, y)
	}
	skip := f.blankLeaves(t)
	acc := f.constant(ir.I8, 1)
	first := true
	for i := range x {
		if skip[i] {
			continue
		}
		eq := f.op(ir.OpEq, ir.I8, x[i], y[i])
		if first {
			acc, first = eq, false
			continue
		}
		acc = f.op(ir.OpAnd, ir.I8, acc, eq)
	}
	return acc
}

// isNil compares a slice with nil, which stands on either side. What is cut from
// a nil slice is nil too, so it is the pointer that the slice began as that
// counts: a sum with it is taken for an address in memory.
func (f *fn) isNil(x, y rep) *ir.Value {
	null := f.constant(ir.Ptr, 0)
	if x[0].IsConst(0) {
		x = y
	}
	return f.op(ir.OpEq, ir.I8, root(x[0]), null)
}

// blankLeaves tells which leaves of t belong to fields named _, which Go does
// not compare.
func (f *fn) blankLeaves(t types.Type) map[int]bool {
	skip := map[int]bool{}
	var walk func(t types.Type, at int, blank bool)
	walk = func(t types.Type, at int, blank bool) {
		switch u := t.Underlying().(type) {
		case *types.Struct:
			for i := range u.NumFields() {
				from, _, _ := f.m.layouts.fieldRange(u, i)
				walk(u.Field(i).Type(), at+from, blank || u.Field(i).Name() == "_")
			}
			return
		}
		if blank {
			for i := range f.layout(t).leaves {
				skip[at+i] = true
			}
		}
	}
	walk(t, 0, false)
	return skip
}

// equalMemory compares two large values part by part.
func (f *fn) equalMemory(x, y *ir.Value, t types.Type) *ir.Value {
	acc := f.constant(ir.I8, 1)
	f.eachPart(t, 0, func(off int64, part types.Type) {
		eq := f.equal(f.partOf(f.ptrAdd(x, off), part), f.partOf(f.ptrAdd(y, off), part), part)
		acc = f.op(ir.OpAnd, ir.I8, acc, eq)
	})
	return acc
}

// eachPart visits the largest parts of t that are kept as leaves.
func (f *fn) eachPart(t types.Type, off int64, visit func(int64, types.Type)) {
	if !f.layout(t).inMemory {
		visit(off, t)
		return
	}
	switch u := t.Underlying().(type) {
	case *types.Struct:
		for i := range u.NumFields() {
			if u.Field(i).Name() == "_" {
				continue
			}
			_, _, o := f.m.layouts.fieldRange(u, i)
			f.eachPart(u.Field(i).Type(), off+o, visit)
		}
	case *types.Array:
		f.eachArrayPart(u, off, visit)
	}
}

func (f *fn) eachArrayPart(u *types.Array, off int64, visit func(int64, types.Type)) {
	size := f.m.pkg.Sizes.Sizeof(u.Elem())
	if isInteger(u.Elem().Underlying()) && size < 8 {
		word := types.Typ[types.Uint64]
		rest := size * u.Len()
		for ; rest >= 8; off, rest = off+8, rest-8 {
			visit(off, word)
		}
		for ; rest > 0; off, rest = off+size, rest-size {
			visit(off, u.Elem())
		}
		return
	}
	for i := range u.Len() {
		f.eachPart(u.Elem(), off+i*size, visit)
	}
}

// compareStrings compares a constant string with another string or with bytes
// converted to one; anything else would need a loop at run time.
func (f *fn) compareStrings(in *ssa.BinOp) *ir.Value {
	if in.Op != token.EQL && in.Op != token.NEQ {
		f.fail(in.Pos(), subset.NoForm, "compare byte by byte", "strings can only be compared for equality in kernel code")
	}
	x, y := in.X, in.Y
	s, ok := constString(y)
	if !ok {
		x = in.Y
		if s, ok = constString(in.X); !ok {
			f.fail(in.Pos(), subset.ConstantString, "compare byte by byte", "one side of a string comparison must be constant in kernel code")
		}
	}
	eq := f.bytesEqual(f.slicePart(x), s)
	if in.Op == token.NEQ {
		return f.op(ir.OpXor, ir.I8, eq, f.constant(ir.I8, 1))
	}
	return eq
}

func constString(v ssa.Value) (string, bool) {
	c, ok := v.(*ssa.Const)
	if !ok || c.Value == nil {
		return "", ok
	}
	return constantString(c), true
}

// bytesEqual compares a whole slice or string with a constant.
func (f *fn) bytesEqual(b bytesRep, s string) *ir.Value {
	sameLen := f.op(ir.OpEq, ir.I8, b.len, f.constant(ir.I64, int64(len(s))))
	if len(s) == 0 {
		return sameLen
	}
	return f.guarded(sameLen, func() *ir.Value { return f.hasPrefix(b, s, false) })
}

// guarded evaluates cond && then().
func (f *fn) guarded(cond *ir.Value, then func() *ir.Value) *ir.Value {
	if cond.Op == ir.OpConst {
		if cond.Int == 0 {
			return cond
		}
		return then()
	}
	no := f.constant(ir.I8, 0)
	yes, els := f.branch(cond)
	f.cur = yes
	v := then()
	join := f.ir.NewBlock()
	f.cur.SetJump(join)
	els.SetJump(join)
	f.cur = join
	return f.phi(ir.I8, v, no)
}

// hasPrefix compares the first bytes of b with s, in words. checkLen is false
// where the length is known to suffice; packets are still compared with their
// end, because the verifier learns nothing from a length.
func (f *fn) hasPrefix(b bytesRep, s string, checkLen bool) *ir.Value {
	if len(s) == 0 {
		return f.constant(ir.I8, 1)
	}
	n := f.constant(ir.I64, int64(len(s)))
	compare := func() *ir.Value { return f.compareWords(b.ptr, s) }
	if checkLen {
		inner := compare
		compare = func() *ir.Value { return f.guarded(f.op(ir.OpULe, ir.I8, n, b.len), inner) }
	}
	if b.end == nil {
		return compare()
	}
	fits := f.op(ir.OpULe, ir.I8, f.ptrAdd(b.ptr, int64(len(s))), b.end)
	return f.guarded(fits, compare)
}

// compareWords compares len(s) bytes at p with s, widest words first.
func (f *fn) compareWords(p *ir.Value, s string) *ir.Value {
	if len(s) == 0 {
		return f.constant(ir.I8, 1)
	}
	n := 8
	for n > len(s) {
		n /= 2
	}
	var word uint64
	for i := range n {
		word |= uint64(s[i]) << (8 * i)
	}
	t := ir.IntOfSize(int64(n))
	eq := f.op(ir.OpEq, ir.I8, f.loadLeaf(p, 0, t), f.constant(t, int64(word)))
	if len(s) == n {
		return eq
	}
	return f.guarded(eq, func() *ir.Value { return f.compareWords(f.ptrAdd(p, int64(n)), s[n:]) })
}
