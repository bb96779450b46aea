package lower

import (
	"go/types"
	"strconv"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/source"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// intrinsicFunc emits one intrinsic call and returns its result.
type intrinsicFunc func(f *fn, in *ssa.Call, callee *ssa.Function, words []string) rep

// intrinsics is the table of what //bpf:intrinsic may name.
var intrinsics = map[string]intrinsicFunc{
	"packet.data":      packetData,
	"packet.at":        packetAt,
	"packet.hasprefix": packetHasPrefix,
	"atomic.add":       atomic(ir.AtomicAdd),
	"atomic.and":       atomic(ir.AtomicAnd),
	"atomic.or":        atomic(ir.AtomicOr),
	"atomic.xor":       atomic(ir.AtomicXor),
	"atomic.xchg":      atomic(ir.AtomicXchg),
	"atomic.cmpxchg":   atomic(ir.AtomicCmpXchg),
	"atomic.load":      atomicLoad,
	"bswap":            byteSwap,
	"map.index":        mapIndex,
	"binary.load":      binaryLoad,
	"binary.store":     binaryStore,
	"log":              logCall,
}

func (f *fn) intrinsic(in *ssa.Call, callee *ssa.Function, low *source.Lowering) rep {
	emit := intrinsics[low.Intrinsic]
	if emit == nil {
		panic("BUG: unknown intrinsic " + low.Intrinsic + " in directive of " + callee.String())
	}
	return emit(f, in, callee, low.Words)
}

// packetData makes the packet slice of a context from its data and end fields.
func packetData(f *fn, in *ssa.Call, callee *ssa.Function, words []string) rep {
	ctx := f.addr(in.Call.Args[0])
	st := in.Call.Args[0].Type().Underlying().(*types.Pointer).Elem().Underlying().(*types.Struct)
	load := func(name string) *ir.Value {
		for i := range st.NumFields() {
			if st.Field(i).Name() != name {
				continue
			}
			_, _, off := f.m.layouts.fieldRange(st, i)
			op := ir.OpCtxPtr
			if f.m.pkg.Sizes.Sizeof(st.Field(i).Type()) == 8 {
				op = ir.OpLoad
			}
			v := f.emit(op, ir.Ptr, ctx)
			v.Int = off
			return v
		}
		panic("BUG: no field " + name + " in context of " + callee.String())
	}
	data, end := load(words[0]), load(words[1])
	return rep{data, end, f.op(ir.OpPtrDiff, ir.I64, end, data)}
}

// packetAt returns the address of a T at an offset, or nil if it does not fit.
func packetAt(f *fn, in *ssa.Call, callee *ssa.Function, _ []string) rep {
	b := f.slicePart(in.Call.Args[0])
	off := f.indexValue(in.Call.Args[1])
	size := f.layout(callee.Signature.Results().At(0).Type().Underlying().(*types.Pointer).Elem()).size
	null := f.constant(ir.Ptr, 0)
	miss := f.ir.NewBlock()
	need := func(cond *ir.Value) {
		if cond.Op == ir.OpConst && cond.Int != 0 {
			return
		}
		ok := f.ir.NewBlock()
		f.cur.SetIf(cond, ok, miss, f.pos)
		f.cur = ok
	}
	need(f.fitsPacket(off, size))
	p := f.scaled(b.ptr, off, 1)
	if b.end != nil {
		need(f.op(ir.OpULe, ir.I8, f.ptrAdd(p, size), b.end))
	}
	need(f.op(ir.OpULe, ir.I8, f.op(ir.OpAdd, ir.I64, off, f.constant(ir.I64, size)), b.len))
	if len(miss.Preds) == 0 {
		return rep{p}
	}
	join := f.ir.NewBlock()
	f.cur.SetJump(join)
	miss.SetJump(join)
	f.cur = join
	return rep{f.phi(ir.Ptr, p, null)}
}

func packetHasPrefix(f *fn, in *ssa.Call, _ *ssa.Function, _ []string) rep {
	s, ok := constString(in.Call.Args[1])
	if !ok {
		f.fail(in.Pos(), subset.ConstantString, "pass a constant", "HasPrefix needs a constant string in kernel code")
	}
	return rep{f.hasPrefix(f.slicePart(in.Call.Args[0]), s, true)}
}

// atomic makes the emitter of one atomic operation. The old value is computed
// always; isel picks the cheaper instruction where nobody uses it.
func atomic(op ir.AtomicOp) intrinsicFunc {
	return func(f *fn, in *ssa.Call, callee *ssa.Function, _ []string) rep {
		args := []*ir.Value{f.addr(in.Call.Args[0])}
		for _, a := range in.Call.Args[1:] {
			args = append(args, f.value(a)[0])
		}
		t := args[1].Type
		if t != ir.I32 && t != ir.I64 {
			f.fail(in.Pos(), subset.AtomicSize, "use a 32 or 64 bit integer", "BPF has no atomic operations on %d bytes", t.Size())
		}
		base, off := splitOffset(args[0], 0)
		args[0] = base
		v := f.emit(ir.OpAtomic, t, args...)
		v.Aux, v.Int = op, off
		return rep{v}
	}
}

// atomicLoad reads a word that other CPUs write.
func atomicLoad(f *fn, in *ssa.Call, _ *ssa.Function, _ []string) rep {
	p := f.addr(in.Call.Args[0])
	t := f.layout(in.Type()).leaves[0].typ
	base, off := splitOffset(p, 0)
	v := f.emit(ir.OpVolatile, t, base)
	v.Int = off
	return rep{v}
}

func byteSwap(f *fn, in *ssa.Call, _ *ssa.Function, _ []string) rep {
	x := f.value(in.Call.Args[0])[0]
	return rep{f.swap(x)}
}

func (f *fn) swap(x *ir.Value) *ir.Value {
	if x.Type == ir.I8 {
		return x
	}
	v := f.cur.NewValue(ir.OpBswap, x.Type, f.pos, x)
	v.Int = x.Type.Bits()
	if c, ok := ir.FoldConst(v); ok {
		return f.constant(x.Type, c)
	}
	f.cur.Values = append(f.cur.Values, v)
	return v
}

// mapIndex gives each map of the object a small number.
func mapIndex(f *fn, in *ssa.Call, _ *ssa.Function, _ []string) rep {
	p := f.value(in.Call.Args[0])[0]
	if p.Op != ir.OpMapAddr && p.Op != ir.OpParam {
		panic("BUG: map.index of something that is no map")
	}
	v := f.emit(ir.OpMapIndex, ir.I32, p)
	return rep{v}
}

// binaryLoad reads a big or little endian integer from the start of a slice:
// words are "be" or "le" and the width in bytes.
func binaryLoad(f *fn, in *ssa.Call, _ *ssa.Function, words []string) rep {
	p, t := f.binaryPlace(in, words)
	x := f.loadLeaf(p, 0, t)
	if words[0] == "be" {
		x = f.swap(x)
	}
	return rep{x}
}

func binaryStore(f *fn, in *ssa.Call, _ *ssa.Function, words []string) rep {
	p, _ := f.binaryPlace(in, words)
	args := in.Call.Args
	x := f.value(args[len(args)-1])[0]
	if words[0] == "be" {
		x = f.swap(x)
	}
	f.storeLeaf(p, 0, x)
	return nil
}

// binaryPlace checks that the slice holds the width and returns its address.
// The slice is the first parameter of slice type: methods have a receiver.
func (f *fn) binaryPlace(in *ssa.Call, words []string) (*ir.Value, ir.Type) {
	size, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		panic("BUG: bad width " + words[1])
	}
	for _, a := range in.Call.Args {
		if _, ok := a.Type().Underlying().(*types.Slice); !ok {
			continue
		}
		b := f.slicePart(a)
		if b.end != nil {
			f.check(f.op(ir.OpULe, ir.I8, f.ptrAdd(b.ptr, size), b.end), ir.FaultIndex, in.Pos())
		}
		f.check(f.op(ir.OpULe, ir.I8, f.constant(ir.I64, size), b.len), ir.FaultIndex, in.Pos())
		return b.ptr, ir.IntOfSize(size)
	}
	panic("BUG: no slice parameter")
}
