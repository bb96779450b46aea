package pass

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// specializeCalls makes subprograms fit their calls: results that no caller
// looks at are dropped, with all that computes them, and pointers that no
// caller passes nil for are known not to be nil. Callers come first, so that
// what they stopped using counts.
func specializeCalls(m *ir.Module) error {
	calls := map[*ir.Func][]*ir.Value{}
	for _, f := range m.Funcs {
		eachCall(f, func(v *ir.Value) { calls[v.Aux.(*ir.Func)] = append(calls[v.Aux.(*ir.Func)], v) })
	}
	for _, f := range callersFirst(m) {
		if f.Prog == nil {
			f.NotNil = passedNotNil(f, calls[f])
			dropResults(f, calls[f])
		}
		clean(f)
	}
	return nil
}

// callersFirst orders the functions so that callers come before callees.
func callersFirst(m *ir.Module) []*ir.Func {
	order := bottomUp(m)
	slices.Reverse(order)
	return order
}

// passedNotNil returns which parameters are never nil.
func passedNotNil(f *ir.Func, calls []*ir.Value) []bool {
	out := make([]bool, len(f.Params))
	for i, p := range f.Params {
		out[i] = p.Type == ir.Ptr && !slices.ContainsFunc(calls, func(call *ir.Value) bool {
			return !neverNil(call.Args[i])
		})
	}
	return out
}

// dropResults removes the results of f that no call uses.
func dropResults(f *ir.Func, calls []*ir.Value) {
	used := make([]bool, len(f.Results))
	for _, call := range calls {
		eachResult(call, func(v *ir.Value) { used[v.Int] = true })
	}
	index := make([]int64, len(used)) // where a result that stays goes
	n := int64(0)
	for i, u := range used {
		index[i] = n
		if u {
			n++
		}
	}
	if n == int64(len(used)) {
		return
	}
	for _, call := range calls {
		eachResult(call, func(v *ir.Value) { v.Int = index[v.Int] })
	}
	f.Results = keep(f.Results, used)
	for _, b := range f.Blocks {
		if b.Term == ir.TermRet {
			b.Rets = keep(b.Rets, used)
		}
	}
}

// eachResult visits the results of a call.
func eachResult(call *ir.Value, visit func(*ir.Value)) {
	for _, b := range call.Block.Func.Blocks {
		for _, v := range b.Values {
			if v.Op == ir.OpResult && v.Args[0] == call {
				visit(v)
			}
		}
	}
}

// keep returns the elements whose flag is set.
func keep[T any](s []T, flags []bool) []T {
	var out []T
	for i, x := range s {
		if flags[i] {
			out = append(out, x)
		}
	}
	return out
}
