package lower

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/source"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// lowering returns the directive of a library function, nil for others.
func (f *fn) lowering(fn *ssa.Function) *source.Lowering {
	obj, ok := fn.Object().(*types.Func)
	if !ok {
		if fn.Origin() == nil {
			return nil
		}
		if obj, ok = fn.Origin().Object().(*types.Func); !ok {
			return nil
		}
	}
	return f.m.pkg.Lowerings[obj.Origin()]
}

// call lowers a call and records its results.
func (f *fn) call(in *ssa.Call) {
	c := &in.Call
	if b, ok := c.Value.(*ssa.Builtin); ok {
		f.vals[in] = f.builtin(in, b)
		return
	}
	target := f.target(c)
	callee := target.fn
	if callee == nil {
		f.fail(in.Pos(), subset.FuncChoice, "call a function by its name", "the function called is not known at compile time")
	}
	low := f.lowering(callee)
	if low == nil {
		f.callFunc(in, target)
		return
	}
	direct, method := in, callee
	if len(callee.Blocks) > 0 {
		if direct, method = f.unwrap(in, target); direct == nil {
			f.callFunc(in, target)
			return
		}
	}
	if low.Helper != "" {
		f.vals[in] = f.callHelper(direct, method, low)
	} else {
		f.vals[in] = f.intrinsic(direct, method, low)
	}
}

// unwrap makes a direct call of a library method of one through a method value
// or a method expression; nil if there is more to that than its call. The
// receiver of a method value is what the value captured.
func (f *fn) unwrap(in *ssa.Call, target shape) (*ssa.Call, *ssa.Function) {
	wrapper := target.fn
	var want []ssa.Value
	for _, v := range wrapper.FreeVars {
		want = append(want, v)
	}
	for _, p := range wrapper.Params {
		want = append(want, p)
	}
	inner, ok := wrapper.Blocks[0].Instrs[0].(*ssa.Call)
	if !ok || !slices.Equal(inner.Call.Args, want) {
		return nil, nil
	}
	direct := *in
	direct.Call.Value = inner.Call.Value
	direct.Call.Args = slices.Clone(in.Call.Args)
	if len(wrapper.FreeVars) > 0 {
		recv := wrapper.FreeVars[0]
		f.vals[recv], f.shapes[recv] = f.value(in.Call.Value), target.free[0]
		direct.Call.Args = slices.Insert(direct.Call.Args, 0, ssa.Value(recv))
	}
	return &direct, inner.Call.StaticCallee()
}

// callFunc calls a Go function: captured variables first, then the arguments.
func (f *fn) callFunc(in *ssa.Call, target shape) {
	callee := target.fn
	shapes := f.argShapes(&in.Call)
	inst := f.m.instance(f, target, shapes, in.Pos())
	var args []*ir.Value
	if _, named := in.Call.Value.(*ssa.Function); !named {
		args = append(args, f.value(in.Call.Value)...)
	}
	for i, a := range in.Call.Args {
		types := f.leafTypes(callee.Params[i].Type(), shapes[i])
		for k, x := range f.value(a) {
			args = append(args, f.convertLeaf(x, types[k]))
		}
	}
	res := callee.Signature.Results()
	outs := make([]*ir.Value, res.Len())
	for i := range outs {
		if t := res.At(i).Type(); f.layout(t).inMemory {
			outs[i] = f.newSlot("result", t)
			args = append(args, outs[i])
		}
	}
	call := f.emit(ir.OpCall, ir.Void, args...)
	call.Aux = inst.fn
	f.callResults(in, call, inst, outs)
}

// callResults splits the flattened results of a call, besides those that it left
// in memory.
func (f *fn) callResults(in *ssa.Call, call *ir.Value, inst *instance, outs []*ir.Value) {
	res := in.Call.Signature().Results()
	n := int64(0)
	var reps []rep
	for i, out := range outs {
		if out != nil {
			reps = append(reps, rep{out})
			continue
		}
		var s shape
		if i < len(inst.results) {
			s = inst.results[i]
		}
		r := rep{}
		for _, t := range f.leafTypes(res.At(i).Type(), s) {
			v := f.emit(ir.OpResult, t, call)
			v.Int = n
			n++
			r = append(r, v)
		}
		reps = append(reps, r)
	}
	if res.Len() == 1 {
		f.vals[in] = reps[0]
	} else {
		f.tuples[in] = reps
	}
}

// sizeParam finds what a sizeof in a directive refers to: a parameter, or a
// type parameter of the function or its receiver.
func (f *fn) sizeof(callee *ssa.Function, a source.Arg) int64 {
	t := f.typeArg(callee, a.Type)
	if t == nil {
		if a.Type != "" {
			panic("BUG: unknown type " + a.Type + " in directive of " + callee.String())
		}
		t = callee.Params[a.Param].Type()
		if p, ok := t.Underlying().(*types.Pointer); ok {
			t = p.Elem()
		}
	}
	return f.m.pkg.Sizes.Sizeof(t)
}

// typeArg returns the type bound to the named type parameter of callee.
func (f *fn) typeArg(callee *ssa.Function, name string) types.Type {
	if name == "" {
		return nil
	}
	if origin := callee.Origin(); origin != nil {
		if t := pick(origin.TypeParams(), callee.TypeArgs(), name); t != nil {
			return t
		}
	}
	recv := callee.Signature.Recv()
	if recv == nil {
		return nil
	}
	t := recv.Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	if !ok {
		return nil
	}
	// A method may name its receiver's type parameters differently, but it
	// instantiates the origin's in order.
	tps := named.Origin().TypeParams()
	if obj, ok := originFunc(callee); ok {
		if sig := obj.Type().(*types.Signature); sig.RecvTypeParams() != nil {
			tps = sig.RecvTypeParams()
		}
	}
	args := make([]types.Type, named.TypeArgs().Len())
	for i := range args {
		args[i] = named.TypeArgs().At(i)
	}
	return pick(tps, args, name)
}

func originFunc(fn *ssa.Function) (*types.Func, bool) {
	if fn.Origin() != nil {
		fn = fn.Origin()
	}
	obj, ok := fn.Object().(*types.Func)
	if !ok {
		return nil, false
	}
	return obj.Origin(), true
}

func pick(params *types.TypeParamList, args []types.Type, name string) types.Type {
	for i := range params.Len() {
		if params.At(i).Obj().Name() == name && i < len(args) {
			return args[i]
		}
	}
	return nil
}
