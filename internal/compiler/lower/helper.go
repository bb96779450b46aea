package lower

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/abi"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/source"
)

// callHelper emits what a //bpf:helper directive says.
func (f *fn) callHelper(in *ssa.Call, callee *ssa.Function, low *source.Lowering) rep {
	h := abi.HelperByName(low.Helper)
	if h == nil {
		panic("BUG: unknown helper " + low.Helper + " in directive of " + callee.String())
	}
	info := &ir.HelperCall{Name: h.Name, InvalidatesPackets: h.InvalidatesPackets, Pure: h.Pure}
	var args []*ir.Value
	for _, a := range low.Args {
		args = append(args, f.helperArg(in, callee, a))
	}
	f.helperMemory(info, h, low, args, in.Call.Args)
	release := h.ReleaseWith
	if h.Name == "map_lookup_elem" && looksUpSocket(callee) {
		release = abi.HelperByName("sk_release").ID
		info.Pure = false // each call takes a reference of its own
	}
	if release != 0 {
		info.Acquires, info.ReleaseHelper = true, int64(release)
	}
	info.Releases = h.Releases
	info.Lock = h.Lock
	if h.Name == "tail_call" {
		f.emit(ir.OpTailCall, ir.Void, args...)
		return f.tailCallResult(callee)
	}
	r := f.helperResult(in, callee, int64(h.ID), info, args)
	if low.NotNil {
		f.assumeNotNil(r[0])
	}
	return r
}

// looksUpSocket reports whether a look-up is one in a map of sockets: those it
// finds are references (is_acquire_function in kernel/bpf/verifier.c).
func looksUpSocket(callee *ssa.Function) bool {
	for p := range callee.Signature.Params().Variables() {
		t, ok := types.Unalias(p.Type()).(*types.Pointer)
		if !ok {
			continue
		}
		named, ok := types.Unalias(t.Elem()).(*types.Named)
		if !ok {
			continue
		}
		m := abi.MapTypeByGoName(named.Obj().Name())
		if m != nil && (m.Kind == abi.MapSockMap || m.Kind == abi.MapSockHash) {
			return true
		}
	}
	return false
}

// assumeNotNil shows the verifier that p is not nil, which it never is: where it
// were, the program leaves without a fault to count.
func (f *fn) assumeNotNil(p *ir.Value) {
	from := f.cur
	ok, never := f.branch(f.op(ir.OpNe, ir.I8, p, f.constant(ir.Ptr, 0)))
	from.Likely = 1
	never.Term, never.Fault, never.Pos = ir.TermFault, ir.FaultPropagated, f.pos
	f.cur = ok
}

// tailCallResult is what a failed tail call returns to its caller; one that
// succeeds does not return.
func (f *fn) tailCallResult(callee *ssa.Function) rep {
	res := callee.Signature.Results()
	if res.Len() == 0 {
		return nil
	}
	return rep{f.constant(f.layout(res.At(0).Type()).leaves[0].typ, -1)}
}

// helperResult calls and converts R0 to the Go result.
func (f *fn) helperResult(in *ssa.Call, callee *ssa.Function, id int64, info *ir.HelperCall, args []*ir.Value) rep {
	res := callee.Signature.Results()
	t := ir.I64
	var want ir.Type
	if res.Len() == 1 {
		want = f.layout(res.At(0).Type()).leaves[0].typ
		if want == ir.Ptr {
			t = ir.Ptr
		}
	}
	call := f.emit(ir.OpHelper, t, args...)
	call.Int, call.Aux = id, info
	switch {
	case res.Len() == 0:
		return nil
	case want == t:
		return rep{call}
	}
	if b, ok := res.At(0).Type().Underlying().(*types.Basic); ok && b.Info()&types.IsBoolean != 0 {
		return rep{f.op(ir.OpNe, ir.I8, call, f.constant(ir.I64, 0))}
	}
	return rep{f.op(ir.OpTrunc, want, call)}
}

// helperArg makes one argument of a helper.
func (f *fn) helperArg(in *ssa.Call, callee *ssa.Function, a source.Arg) *ir.Value {
	switch a.Kind {
	case source.ArgInt:
		return f.constant(ir.I64, a.Int)
	case source.ArgSizeof:
		return f.constant(ir.I64, f.sizeof(callee, a))
	case source.ArgRef:
		if a.Param < 0 {
			return f.spill("zero", rep{f.constant(ir.I32, 0)}, types.Typ[types.Uint32])
		}
		v := in.Call.Args[a.Param]
		return f.spill("arg", f.value(v), v.Type())
	}
	v := in.Call.Args[a.Param]
	switch a.Kind {
	case source.ArgPtr:
		return f.slicePart(v).ptr
	case source.ArgLen:
		return f.slicePart(v).len
	}
	return f.helperParam(v)
}

// helperParam passes a parameter as it is: integers extended by their sign,
// pointers unchanged.
func (f *fn) helperParam(v ssa.Value) *ir.Value {
	x := f.value(v)[0]
	if x.Type == ir.Ptr {
		return x
	}
	return f.resize(x, ir.I64, isSigned(v.Type()))
}

// helperMemory tells the passes how much memory the call reads and writes
// through each pointer.
func (f *fn) helperMemory(info *ir.HelperCall, h *abi.Helper, low *source.Lowering, args []*ir.Value, goArgs []ssa.Value) {
	if buf, size, ok := h.Fills(); ok && size < len(args) && args[size].Op == ir.OpConst {
		info.Fills[buf] = args[size].Int
	}
	for i := range args {
		if args[i].Type != ir.Ptr || args[i].Op == ir.OpMapAddr {
			continue
		}
		info.Reads[i], info.Writes[i] = -1, -1
		if a := low.Args[i]; a.Kind == source.ArgRef {
			// A stack copy made for this call: the helper may read all of it
			// but nobody looks at it afterwards.
			size := int64(4)
			if a.Param >= 0 {
				size = f.layout(goArgs[a.Param].Type()).size
			}
			info.Reads[i], info.Writes[i] = size, 0
		} else if h.ReadOnly(i) {
			info.Writes[i] = 0
		}
	}
}
