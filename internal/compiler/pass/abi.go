package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// lowerCalls gives real calls their machine form. R0 is the only result of a
// BPF function, so a function that may fault returns a flag in it, and results
// that do not fit travel through a pointer to the caller's stack, passed as
// the last argument.
func lowerCalls(m *ir.Module) error {
	sigs := map[*ir.Func]callABI{}
	for _, f := range m.Funcs {
		if f.Prog == nil {
			sigs[f] = callABI{fault: mayFault(f), out: needsOut(f), results: f.Results}
		}
	}
	for _, f := range m.Funcs {
		for again := true; again; {
			again = false
			eachCall(f, func(v *ir.Value) {
				if !again && v.Int == 0 {
					lowerCall(f, v, sigs[v.Aux.(*ir.Func)])
					again = true
				}
			})
		}
		if f.Prog == nil {
			lowerReturns(f, sigs[f])
		}
		clean(f)
	}
	return nil
}

// callABI is how a subprogram returns.
type callABI struct {
	fault, out bool
	results    []ir.Type
}

// CallLowered in OpCall.Int marks a call that is in machine form.
const callLowered = 1

// lowerCall rewrites one call and its OpResults.
func lowerCall(f *ir.Func, call *ir.Value, abi callABI) {
	call.Int = callLowered
	call.Type = ir.I64
	if !abi.fault && !abi.out && len(abi.results) == 1 && abi.results[0] == ir.Ptr {
		call.Type = ir.Ptr
	}
	var out *ir.Value
	if abi.out {
		out = addOutSlot(f, call, int64(8*len(abi.results)))
	}
	tail := splitAfter(f, call)
	if abi.fault {
		branchOnFault(f, call, tail)
	} else {
		call.Block.SetJump(tail)
	}
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			if v.Op == ir.OpResult && v.Args[0] == call {
				lowerResult(v, call, out)
			}
		}
	}
}

// addOutSlot makes the memory for the results and passes its address.
func addOutSlot(f *ir.Func, call *ir.Value, size int64) *ir.Value {
	b := call.Block
	out := b.NewValue(ir.OpSlotAddr, ir.Ptr, call.Pos)
	out.Aux = f.NewSlot("results", size, 8, call.Pos)
	for i, v := range b.Values {
		if v == call {
			b.Values = append(b.Values[:i:i], append([]*ir.Value{out}, b.Values[i:]...)...)
			break
		}
	}
	call.Args = append(call.Args, out)
	return out
}

// branchOnFault leaves the caller too if the callee faulted.
func branchOnFault(f *ir.Func, call *ir.Value, tail *ir.Block) {
	b := call.Block
	zero := b.Append(ir.OpConst, ir.I64, call.Pos)
	ok := b.Append(ir.OpEq, ir.I32, call.Pos, call, zero)
	bad := f.NewBlock()
	bad.Term, bad.Pos, bad.Fault = ir.TermFault, call.Pos, ir.FaultPropagated
	b.SetIf(ok, tail, bad, call.Pos)
	b.Likely = 1
}

// lowerResult makes v, a result of call, a load or the call's own value.
func lowerResult(v, call, out *ir.Value) {
	n := v.Int
	switch {
	case out != nil:
		v.Reset(ir.OpLoad, out)
		v.Int = 8 * n
	case v.Type == call.Type:
		v.Reset(ir.OpCopy, call)
	default:
		v.Reset(ir.OpTrunc, call)
	}
}

// lowerReturns makes a subprogram's returns what its callers expect.
func lowerReturns(f *ir.Func, abi callABI) {
	var out *ir.Value
	if abi.out {
		e := f.Entry()
		out = e.NewValue(ir.OpParam, ir.Ptr, f.Pos)
		out.Int = int64(len(f.Params))
		f.Params = append(f.Params, out)
		e.Values = append([]*ir.Value{out}, e.Values...)
	}
	for _, b := range f.Blocks {
		if b.Term != ir.TermRet {
			continue
		}
		if out != nil {
			for i, r := range b.Rets {
				st := b.Append(ir.OpStore, ir.Void, b.Pos, out, r)
				st.Int = int64(8 * i)
			}
		}
		if abi.fault || abi.out || len(b.Rets) == 0 {
			b.Rets = []*ir.Value{b.Append(ir.OpConst, ir.I64, b.Pos)}
		}
	}
}
