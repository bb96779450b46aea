package lower

import (
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/abi"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// maxPrintkArgs is what bpf_trace_printk takes; more go through
// bpf_trace_vprintk (Linux 5.16), which takes an array.
const maxPrintkArgs = 3

// logCall lowers bpf.Log(format, args...). The arguments are integers; each is
// extended to 64 bits and the verbs are rewritten to match.
func logCall(f *fn, in *ssa.Call, _ *ssa.Function, _ []string) rep {
	format, ok := constString(in.Call.Args[0])
	if !ok {
		f.fail(in.Pos(), subset.LogCall, "use a constant format", "the format of a log call must be constant")
	}
	var words []*ir.Value
	var signed []bool
	for _, a := range f.variadic(in, in.Call.Args[1]) {
		if !isInteger(a.Type().Underlying()) && !isPointer(a.Type().Underlying()) {
			f.fail(in.Pos(), subset.LogCall, "log integers", "can't log a value of type %s", a.Type())
		}
		words = append(words, f.toWord(a))
		signed = append(signed, isSigned(a.Type()))
	}
	text, n := kernelFormat(format, signed)
	if n != len(words) {
		f.fail(in.Pos(), subset.LogCall, "give one integer for each verb", "the log format has %d verbs for %d arguments", n, len(words))
	}
	addr := f.emit(ir.OpGlobalAddr, ir.Ptr)
	addr.Aux = f.m.constString(text, in.Pos())
	size := f.constant(ir.I64, int64(len(text)+1))
	if len(words) <= maxPrintkArgs {
		f.logHelper("trace_printk", append([]*ir.Value{addr, size}, words...))
		return nil
	}
	s := f.newRawSlot("log", int64(8*len(words)), 8)
	for i, w := range words {
		f.storeLeaf(f.ptrAdd(s, int64(8*i)), 0, w)
	}
	f.logHelper("trace_vprintk", []*ir.Value{addr, size, s, f.constant(ir.I64, int64(8*len(words)))})
	return nil
}

func (f *fn) logHelper(name string, args []*ir.Value) {
	call := f.emit(ir.OpHelper, ir.I64, args...)
	info := &ir.HelperCall{Name: name}
	for i, a := range args {
		if a.Type == ir.Ptr {
			info.Reads[i] = -1
		}
	}
	call.Int, call.Aux = int64(abi.HelperByName(name).ID), info
}

func (f *fn) toWord(v ssa.Value) *ir.Value {
	x := f.value(v)[0]
	if x.Type == ir.Ptr {
		return f.op(ir.OpPtrToInt, ir.I64, x)
	}
	return f.resize(x, ir.I64, isSigned(v.Type()))
}

// variadic returns the values behind a call's ...any, which go/ssa stores
// one by one in a fresh array.
func (f *fn) variadic(in *ssa.Call, v ssa.Value) []ssa.Value {
	if isNilConst(v) {
		return nil
	}
	sl, ok := v.(*ssa.Slice)
	if !ok {
		f.fail(in.Pos(), subset.LogCall, "list the arguments in the call", "the arguments of a log call are not listed")
	}
	byIndex := map[int64]ssa.Value{}
	for _, ref := range *sl.X.Referrers() {
		ia, ok := ref.(*ssa.IndexAddr)
		if !ok {
			continue
		}
		for _, r := range *ia.Referrers() {
			if st, ok := r.(*ssa.Store); ok {
				if mi, ok := st.Val.(*ssa.MakeInterface); ok {
					byIndex[ia.Index.(*ssa.Const).Int64()] = mi.X
				}
			}
		}
	}
	out := make([]ssa.Value, len(byIndex))
	for i := range out {
		out[i] = byIndex[int64(i)]
	}
	return out
}

// kernelFormat rewrites Go verbs to the kernel's for 64-bit arguments and
// counts them.
func kernelFormat(format string, signed []bool) (string, int) {
	var sb strings.Builder
	n := 0
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '%' || i+1 == len(format) {
			sb.WriteByte(c)
			continue
		}
		i++
		switch format[i] {
		case '%':
			sb.WriteString("%%")
			continue
		case 'x', 'X':
			sb.WriteString("%ll" + format[i:i+1])
		case 'p':
			sb.WriteString("%llx")
		case 'c':
			sb.WriteString("%c")
		default: // d, v
			if n < len(signed) && signed[n] {
				sb.WriteString("%lld")
			} else {
				sb.WriteString("%llu")
			}
		}
		n++
	}
	return strings.TrimSuffix(sb.String(), "\n"), n
}
