package lower

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// alloc makes a cleared stack slot each time the instruction runs. A loop's
// variable has one slot for all iterations.
func (f *fn) alloc(in *ssa.Alloc) *ir.Value {
	if _, first := subset.LoopVariable(in); first != nil {
		return f.value(first)[0]
	}
	t := in.Type().Underlying().(*types.Pointer).Elem()
	s := f.newSlot(in.Comment, t)
	f.zero(s, f.layout(t).size)
	return s
}

// newSlot makes a slot for a value of type t and returns its address.
func (f *fn) newSlot(name string, t types.Type) *ir.Value {
	lay := f.layout(t)
	return f.newRawSlot(name, lay.size, max(lay.align, 1))
}

// maxSlot bounds a variable before it is known whether it stays one: far more than
// the stack has, and little enough to go on with.
const maxSlot = 64 << 10

func (f *fn) newRawSlot(name string, size, align int64) *ir.Value {
	if size < 0 || size > maxSlot {
		f.fail(f.pos, subset.StackSize, "keep large values in a bpf.Scratch map", "a value of %d bytes is needed on the stack, which has 512", uint64(size))
	}
	v := f.emit(ir.OpSlotAddr, ir.Ptr)
	v.Aux = f.ir.NewSlot(name, size, align, f.pos)
	return v
}

func (f *fn) zero(addr *ir.Value, size int64) {
	if size == 0 {
		return
	}
	v := f.emit(ir.OpZero, ir.Void, addr)
	v.Aux = size
}

// move copies size bytes; the two places are equal or disjoint.
func (f *fn) move(dst, src *ir.Value, size int64) {
	if size == 0 {
		return
	}
	v := f.emit(ir.OpMove, ir.Void, dst, src)
	v.Int = size
}

// ptrAdd adds a constant to a pointer, folding what it can: the verifier wants
// context and stack accesses at constant offsets of the base.
func (f *fn) ptrAdd(p *ir.Value, off int64) *ir.Value {
	if off == 0 {
		return p
	}
	switch {
	case p.Op == ir.OpSlotAddr || p.Op == ir.OpGlobalAddr:
		v := f.emit(p.Op, ir.Ptr)
		v.Aux, v.Int = p.Aux, p.Int+off
		return v
	case p.Op == ir.OpPtrAdd && p.Args[1].Op == ir.OpConst:
		return f.ptrAdd(p.Args[0], off+p.Args[1].Int)
	}
	return f.emit(ir.OpPtrAdd, ir.Ptr, p, f.constant(ir.I64, off))
}

// addr returns the address that v holds, checked not to be nil.
func (f *fn) addr(v ssa.Value) *ir.Value {
	p := f.value(v)[0]
	f.checkNil(p)
	return p
}

func (f *fn) checkNil(p *ir.Value) {
	if f.neverNil(p) {
		return
	}
	f.check(f.op(ir.OpNe, ir.I8, p, f.constant(ir.Ptr, 0)), ir.FaultNil, f.pos)
}

// neverNil reports whether p can't be nil by the way it was made. Field and
// element addresses were checked when their base was.
func (f *fn) neverNil(p *ir.Value) bool {
	switch p.Op {
	case ir.OpSlotAddr, ir.OpGlobalAddr, ir.OpMapAddr, ir.OpPtrAdd, ir.OpCtxPtr:
		return true
	case ir.OpParam:
		return p == f.contextParam() || slices.Contains(f.outs, p)
	}
	return false
}

// contextParam returns the context of a program, nil in a subprogram.
func (f *fn) contextParam() *ir.Value {
	if f.ir.Prog == nil {
		return nil
	}
	return f.ir.Params[0]
}

// loadLeaf reads one scalar at p+off.
func (f *fn) loadLeaf(p *ir.Value, off int64, t ir.Type) *ir.Value {
	base, o := splitOffset(p, off)
	v := f.emit(ir.OpLoad, t, base)
	v.Int = o
	return v
}

// storeLeaf writes one scalar at p+off.
func (f *fn) storeLeaf(p *ir.Value, off int64, x *ir.Value) {
	base, o := splitOffset(p, off)
	v := f.emit(ir.OpStore, ir.Void, base, x)
	v.Int = o
}

// splitOffset takes constant additions off a pointer.
func splitOffset(p *ir.Value, off int64) (*ir.Value, int64) {
	for p.Op == ir.OpPtrAdd && p.Args[1].Op == ir.OpConst {
		p, off = p.Args[0], off+p.Args[1].Int
	}
	return p, off
}

// load reads a value of type t.
func (f *fn) load(p *ir.Value, t types.Type) rep {
	lay := f.layout(t)
	if lay.inMemory {
		s := f.newSlot("copy", t)
		f.move(s, p, lay.size)
		return rep{s}
	}
	r := make(rep, len(lay.leaves))
	for i, l := range lay.leaves {
		r[i] = f.loadLeaf(p, l.off, l.typ)
	}
	return r
}

// store writes v, of type t, to p.
func (f *fn) store(p *ir.Value, v ssa.Value, t types.Type) {
	lay := f.layout(t)
	if c, ok := v.(*ssa.Const); ok && c.Value == nil && len(lay.leaves) != 1 {
		f.zero(p, lay.size)
		return
	}
	if isSliceOrString(t) && f.isPacket(v) && !f.m.isPacketType(t) {
		f.fail(f.pos, subset.PacketVariable, "declare the variable with the packet slice type", "a packet slice is stored in a variable of type %s", t)
	}
	f.storeRep(p, f.value(v), t)
}

func (f *fn) storeRep(p *ir.Value, r rep, t types.Type) {
	lay := f.layout(t)
	if lay.inMemory {
		f.move(p, r[0], lay.size)
		return
	}
	for i, l := range lay.leaves {
		f.storeLeaf(p, l.off, r[i])
	}
}

// spill puts a value on the stack, padding cleared, and returns its address.
func (f *fn) spill(name string, r rep, t types.Type) *ir.Value {
	lay := f.layout(t)
	if lay.inMemory {
		return r[0] // already an address of a copy nobody writes
	}
	s := f.newRawSlot(name, max(lay.size, 1), max(lay.align, 8))
	f.zero(s, lay.size)
	f.storeRep(s, r, t)
	return s
}

func (f *fn) fieldAddr(in *ssa.FieldAddr) *ir.Value {
	st := in.X.Type().Underlying().(*types.Pointer).Elem().Underlying().(*types.Struct)
	_, _, off := f.m.layouts.fieldRange(st, in.Field)
	return f.ptrAdd(f.addr(in.X), off)
}

func (f *fn) field(in *ssa.Field) rep {
	st := in.X.Type().Underlying().(*types.Struct)
	from, to, off := f.m.layouts.fieldRange(st, in.Field)
	x := f.value(in.X)
	if f.layout(in.X.Type()).inMemory {
		return f.partOf(f.ptrAdd(x[0], off), in.Type())
	}
	return x[from:to]
}

// partOf reads a part of an immutable copy in memory; a large part stays there.
func (f *fn) partOf(p *ir.Value, t types.Type) rep {
	if f.layout(t).inMemory {
		return rep{p}
	}
	return f.load(p, t)
}
