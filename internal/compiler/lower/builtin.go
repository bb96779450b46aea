package lower

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// builtin lowers a call of a predeclared function.
func (f *fn) builtin(in *ssa.Call, b *ssa.Builtin) rep {
	args := in.Call.Args
	switch b.Name() {
	case "len":
		return rep{f.slicePart(args[0]).len}
	case "cap":
		p := f.slicePart(args[0])
		if p.cap == nil {
			return rep{p.len}
		}
		return rep{p.cap}
	case "min", "max":
		return f.minMax(args, b.Name() == "max")
	case "copy":
		return rep{f.copySlices(args[0], args[1])}
	case "clear":
		f.clearSlice(args[0])
		return nil
	case "ssa:wrapnilchk":
		return rep{f.addr(args[0])}
	case "String": // unsafe.String
		return rep{f.value(args[0])[0], f.indexValue(args[1])}
	case "Slice": // unsafe.Slice
		n := f.indexValue(args[1])
		return rep{f.value(args[0])[0], n, n}
	case "SliceData", "StringData":
		return f.value(args[0])[:1]
	case "Add": // unsafe.Add
		return rep{f.scaled(f.value(args[0])[0], f.indexValue(args[1]), 1)}
	case "Sizeof": // unsafe.Sizeof of a type parameter; else it is a constant
		return rep{f.constant(ir.I64, f.m.pkg.Sizes.Sizeof(args[0].Type()))}
	case "Alignof":
		return rep{f.constant(ir.I64, f.m.pkg.Sizes.Alignof(args[0].Type()))}
	}
	f.fail(in.Pos(), subset.NoForm, "see docs/subset.md", "%s is not part of kernel Go", b.Name())
	return nil
}

// isMeasuredOnly reports whether v is only there for its size: it is not
// evaluated.
func isMeasuredOnly(v ssa.Value) bool {
	for _, r := range *v.Referrers() {
		call, ok := r.(*ssa.Call)
		if !ok {
			return false
		}
		b, ok := call.Call.Value.(*ssa.Builtin)
		if !ok || b.Name() != "Sizeof" && b.Name() != "Alignof" {
			return false
		}
	}
	return len(*v.Referrers()) > 0
}

func (f *fn) minMax(args []ssa.Value, wantMax bool) rep {
	if !isInteger(args[0].Type().Underlying()) {
		f.fail(f.pos, subset.NoForm, "use integers", "min and max take integers in kernel code")
	}
	less := orderOp(true, isSigned(args[0].Type()))
	acc := f.value(args[0])[0]
	for _, a := range args[1:] {
		x := f.value(a)[0]
		l, r := acc, x
		if wantMax {
			l, r = r, l
		}
		acc = f.choose(f.op(less, ir.I8, l, r), acc, x)
	}
	return rep{acc}
}

// choose returns a where cond holds and b elsewhere.
func (f *fn) choose(cond, a, b *ir.Value) *ir.Value {
	if cond.Op == ir.OpConst {
		if cond.Int != 0 {
			return a
		}
		return b
	}
	then, els := f.branch(cond)
	join := f.ir.NewBlock()
	then.SetJump(join)
	els.SetJump(join)
	f.cur = join
	return f.phi(a.Type, a, b)
}

// copySlices lowers copy(dst, src) and returns the number of elements.
func (f *fn) copySlices(dst, src ssa.Value) *ir.Value {
	d, s := f.slicePart(dst), f.slicePart(src)
	size := f.m.pkg.Sizes.Sizeof(dst.Type().Underlying().(*types.Slice).Elem())
	n := f.choose(f.op(ir.OpULt, ir.I8, d.len, s.len), d.len, s.len)
	if n.Op == ir.OpConst && !mayOverlap(d.ptr, s.ptr) {
		f.copyConst(d, s, n.Int*size)
		return n
	}
	f.copyLoop(d, s, n, size)
	return n
}

// copyConst copies a constant number of bytes between disjoint places.
func (f *fn) copyConst(d, s bytesRep, bytes int64) {
	for _, b := range []bytesRep{d, s} {
		if b.end != nil {
			f.check(f.op(ir.OpULe, ir.I8, f.ptrAdd(b.ptr, bytes), b.end), ir.FaultSlice, f.pos)
		}
	}
	f.move(d.ptr, s.ptr, bytes)
}

// copyLoop copies element by element, in the direction that is right when the
// two overlap.
func (f *fn) copyLoop(d, s bytesRep, n *ir.Value, size int64) {
	if !mayOverlap(d.ptr, s.ptr) {
		f.countedLoop(n, func(i *ir.Value) { f.copyElement(d, s, i, size) })
		return
	}
	back, forth := f.branch(f.op(ir.OpULt, ir.I8, s.ptr, d.ptr))
	join := f.ir.NewBlock()
	f.cur = back
	last := f.op(ir.OpSub, ir.I64, n, f.constant(ir.I64, 1))
	f.countedLoop(n, func(i *ir.Value) { f.copyElement(d, s, f.op(ir.OpSub, ir.I64, last, i), size) })
	f.cur.SetJump(join)
	f.cur = forth
	f.countedLoop(n, func(i *ir.Value) { f.copyElement(d, s, i, size) })
	f.jump(join)
}

// copyElement copies element i, which is below the lengths of both.
func (f *fn) copyElement(d, s bytesRep, i *ir.Value, size int64) {
	to, from := f.knownElement(d, i, size), f.knownElement(s, i, size)
	if size == 1 || size == 2 || size == 4 || size == 8 {
		f.storeLeaf(to, 0, f.loadLeaf(from, 0, ir.IntOfSize(size)))
		return
	}
	f.move(to, from, size)
}

// knownElement returns the address of an element that exists. Only of packets the
// kernel wants to see that.
func (f *fn) knownElement(b bytesRep, i *ir.Value, size int64) *ir.Value {
	if b.end != nil {
		return f.packetElement(b, i, size, f.pos)
	}
	return f.scaled(b.ptr, i, size)
}

// countedLoop runs body for i = 0..n-1. The check of i against n stands at the
// head, so that the verifier sees a bounded loop.
func (f *fn) countedLoop(n *ir.Value, body func(i *ir.Value)) {
	zero := f.constant(ir.I64, 0)
	head, exit := f.ir.NewBlock(), f.ir.NewBlock()
	f.jump(head)
	i := f.phi(ir.I64, zero)
	loop := f.ir.NewBlock()
	f.cur.SetIf(f.op(ir.OpULt, ir.I8, i, n), loop, exit, f.pos)
	f.cur = loop
	body(i)
	next := f.op(ir.OpAdd, ir.I64, i, f.constant(ir.I64, 1))
	i.Args = append(i.Args, next)
	f.cur.SetJump(head)
	f.cur = exit
}

// mayOverlap reports whether two addresses can lie in the same object.
func mayOverlap(a, b *ir.Value) bool {
	ra, rb := root(a), root(b)
	if ra.Op == ir.OpSlotAddr && rb.Op == ir.OpSlotAddr || ra.Op == ir.OpGlobalAddr && rb.Op == ir.OpGlobalAddr {
		return ra.Aux == rb.Aux
	}
	distinct := func(v *ir.Value) bool {
		return v.Op == ir.OpSlotAddr || v.Op == ir.OpGlobalAddr || v.Op == ir.OpCtxPtr
	}
	return !(distinct(ra) && distinct(rb) && ra.Op != rb.Op)
}

// root follows pointer additions to where the pointer came from.
func root(v *ir.Value) *ir.Value {
	for v.Op == ir.OpPtrAdd {
		v = v.Args[0]
	}
	return v
}

// clearSlice lowers clear(s).
func (f *fn) clearSlice(v ssa.Value) {
	b := f.slicePart(v)
	slice, ok := v.Type().Underlying().(*types.Slice)
	if !ok {
		f.fail(f.pos, subset.NoForm, "use a BPF map", "clear of a Go map is not part of kernel Go")
	}
	size := f.m.pkg.Sizes.Sizeof(slice.Elem())
	if b.len.Op == ir.OpConst && b.end == nil {
		f.zero(b.ptr, b.len.Int*size)
		return
	}
	f.countedLoop(b.len, func(i *ir.Value) {
		f.zero(f.elementAddr(b, i, size, f.pos), size)
	})
}
