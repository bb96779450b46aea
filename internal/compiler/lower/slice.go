package lower

import (
	"go/constant"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// bytesRep is a slice or string taken apart. end is set for packets.
type bytesRep struct {
	ptr, end, len *ir.Value
	cap           *ir.Value // nil for strings and packets
}

// maxPacketOffset bounds variable offsets into a packet slice. The verifier gives
// a packet pointer no range once the sum of what was added to it may exceed
// 0xffff (MAX_PACKET_OFF in kernel/bpf/verifier.c), and an element of a slice that
// begins at a variable offset has two such parts.
const maxPacketOffset = 0x7fff

func constantString(c *ssa.Const) string { return constant.StringVal(c.Value) }

// slicePart takes v apart. Arrays are taken by pointer.
func (f *fn) slicePart(v ssa.Value) bytesRep {
	if f.isPacket(v) {
		if isNilConst(v) {
			r := f.zeroValue(v.Type(), true)
			return bytesRep{ptr: r[0], end: r[1], len: r[2]}
		}
		r := f.value(v)
		return bytesRep{ptr: r[0], end: r[1], len: r[2]}
	}
	if p, ok := v.Type().Underlying().(*types.Pointer); ok {
		n := f.constant(ir.I64, p.Elem().Underlying().(*types.Array).Len())
		return bytesRep{ptr: f.addr(v), len: n, cap: n}
	}
	r := f.value(v)
	if len(r) == 2 {
		return bytesRep{ptr: r[0], len: r[1]}
	}
	return bytesRep{ptr: r[0], len: r[1], cap: r[2]}
}

// indexValue returns an index extended to 64 bits; as unsigned number a
// negative one is out of every range.
func (f *fn) indexValue(v ssa.Value) *ir.Value {
	return f.resize(f.value(v)[0], ir.I64, isSigned(v.Type()))
}

func (f *fn) indexAddr(in *ssa.IndexAddr) *ir.Value {
	b := f.slicePart(in.X)
	size := f.m.pkg.Sizes.Sizeof(in.Type().Underlying().(*types.Pointer).Elem())
	return f.elementAddr(b, f.indexValue(in.Index), size, in.Pos())
}

// elementAddr returns the checked address of element i.
func (f *fn) elementAddr(b bytesRep, i *ir.Value, size int64, pos token.Pos) *ir.Value {
	if b.end != nil {
		return f.packetElement(b, i, size, pos)
	}
	f.check(f.op(ir.OpULt, ir.I8, i, b.len), ir.FaultIndex, pos)
	return f.scaled(b.ptr, i, size)
}

// scaled returns p + i*size.
func (f *fn) scaled(p, i *ir.Value, size int64) *ir.Value {
	if i.Op == ir.OpConst {
		return f.ptrAdd(p, i.Int*size)
	}
	if size != 1 {
		i = f.op(ir.OpMul, ir.I64, i, f.constant(ir.I64, size))
	}
	return f.emit(ir.OpPtrAdd, ir.Ptr, p, i)
}

// packetElement checks against the packet's end, then against the slice's own
// length, which an optimiser drops where the two are the same.
func (f *fn) packetElement(b bytesRep, i *ir.Value, size int64, pos token.Pos) *ir.Value {
	f.checkPacketOffset(i, size, ir.FaultIndex, pos)
	p := f.scaled(b.ptr, i, size)
	f.check(f.op(ir.OpULe, ir.I8, f.ptrAdd(p, size), b.end), ir.FaultIndex, pos)
	f.check(f.op(ir.OpULt, ir.I8, i, b.len), ir.FaultIndex, pos)
	return p
}

// checkPacketOffset faults unless n bytes at offset i end where the verifier can
// follow.
func (f *fn) checkPacketOffset(i *ir.Value, n int64, kind ir.FaultKind, pos token.Pos) {
	f.check(f.fitsPacket(i, n), kind, pos)
}

func (f *fn) fitsPacket(i *ir.Value, n int64) *ir.Value {
	return f.op(ir.OpULe, ir.I8, i, f.constant(ir.I64, max(0, maxPacketOffset-n)))
}

// index lowers a[i] where a is an array value or a string.
func (f *fn) index(in *ssa.Index) rep {
	if isSliceOrString(in.X.Type()) {
		p := f.elementAddr(f.slicePart(in.X), f.indexValue(in.Index), 1, in.Pos())
		return rep{f.loadLeaf(p, 0, ir.I8)}
	}
	arr := in.X.Type().Underlying().(*types.Array)
	p := f.spill("array", f.value(in.X), in.X.Type())
	n := f.constant(ir.I64, arr.Len())
	addr := f.elementAddr(bytesRep{ptr: p, len: n}, f.indexValue(in.Index), f.m.pkg.Sizes.Sizeof(arr.Elem()), in.Pos())
	return f.partOf(addr, in.Type())
}

// slice lowers x[low:high:max].
func (f *fn) slice(in *ssa.Slice) rep {
	b := f.slicePart(in.X)
	if b.end != nil {
		return f.slicePacket(in, b)
	}
	size := int64(1)
	switch t := in.Type().Underlying().(type) {
	case *types.Slice:
		size = f.m.pkg.Sizes.Sizeof(t.Elem())
	}
	limit := b.cap
	if limit == nil { // a string
		limit = b.len
	}
	low, high, top := f.constant(ir.I64, 0), b.len, limit
	if in.Max != nil {
		top = f.indexValue(in.Max)
		f.check(f.op(ir.OpULe, ir.I8, top, limit), ir.FaultSlice, in.Pos())
	}
	if in.High != nil {
		high = f.indexValue(in.High)
		f.check(f.op(ir.OpULe, ir.I8, high, top), ir.FaultSlice, in.Pos())
	} else if in.Max != nil {
		f.check(f.op(ir.OpULe, ir.I8, high, top), ir.FaultSlice, in.Pos())
	}
	if in.Low != nil {
		low = f.indexValue(in.Low)
		f.check(f.op(ir.OpULe, ir.I8, low, high), ir.FaultSlice, in.Pos())
	}
	n := f.op(ir.OpSub, ir.I64, high, low)
	r := rep{f.scaled(b.ptr, low, size), n}
	if b.cap != nil {
		r = append(r, f.op(ir.OpSub, ir.I64, top, low))
	}
	return r
}

// slicePacket cuts a packet slice. Its end stays the packet's, because nothing
// else means anything to the verifier; the length remembers a tighter bound.
func (f *fn) slicePacket(in *ssa.Slice, b bytesRep) rep {
	if in.Max != nil {
		f.fail(in.Pos(), subset.PacketCapacity, "leave out the third index", "a packet slice has no capacity of its own")
	}
	low, high := f.constant(ir.I64, 0), b.len
	if in.High != nil {
		high = f.indexValue(in.High)
		f.checkPacketOffset(high, 0, ir.FaultSlice, in.Pos())
		f.check(f.op(ir.OpULe, ir.I8, f.scaled(b.ptr, high, 1), b.end), ir.FaultSlice, in.Pos())
		f.check(f.op(ir.OpULe, ir.I8, high, b.len), ir.FaultSlice, in.Pos())
	}
	ptr := b.ptr
	if in.Low != nil {
		low = f.indexValue(in.Low)
		f.checkPacketOffset(low, 0, ir.FaultSlice, in.Pos())
		ptr = f.scaled(b.ptr, low, 1)
		if in.High == nil {
			f.check(f.op(ir.OpULe, ir.I8, ptr, b.end), ir.FaultSlice, in.Pos())
		}
		f.check(f.op(ir.OpULe, ir.I8, low, high), ir.FaultSlice, in.Pos())
	}
	n := f.op(ir.OpSub, ir.I64, high, low)
	if n.Op == ir.OpSub {
		n.Int = ir.Length
	}
	return rep{ptr, b.end, n}
}

func (f *fn) sliceToArray(in *ssa.SliceToArrayPointer) *ir.Value {
	pos := posOfUse(in)
	b := f.slicePart(in.X)
	arr := in.Type().Underlying().(*types.Pointer).Elem().Underlying().(*types.Array)
	size := arr.Len() * f.m.pkg.Sizes.Sizeof(arr.Elem())
	if b.end != nil {
		f.check(f.op(ir.OpULe, ir.I8, f.ptrAdd(b.ptr, size), b.end), ir.FaultConvert, pos)
	}
	f.check(f.op(ir.OpULe, ir.I8, f.constant(ir.I64, arr.Len()), b.len), ir.FaultConvert, pos)
	return b.ptr
}

// convertString lowers []byte(s) and string(b). Both share the bytes, which is
// right as long as nobody writes to them in between: subset allows the
// conversions in comparisons and constant arguments only.
func (f *fn) convertString(in *ssa.Convert) rep {
	b := f.slicePart(in.X)
	if b.end != nil {
		return rep{b.ptr, b.end, b.len}
	}
	if _, toSlice := in.Type().Underlying().(*types.Slice); toSlice {
		return rep{b.ptr, b.len, b.len}
	}
	return rep{b.ptr, b.len}
}

// posOfUse is the position of v, or of what uses it: go/ssa gives none to the
// steps of a conversion to an array.
func posOfUse(v ssa.Value) token.Pos {
	const steps = 3
	for range steps {
		if v.Pos().IsValid() {
			break
		}
		refs := v.Referrers()
		if refs == nil || len(*refs) == 0 {
			break
		}
		user := (*refs)[0]
		if user.Pos().IsValid() {
			return user.Pos()
		}
		next, ok := user.(ssa.Value)
		if !ok {
			break
		}
		v = next
	}
	return v.Pos()
}
