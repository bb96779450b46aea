package subset

import "github.com/waggle-bpf/waggle/internal/compiler/diag"

// lateRules documents what the stages after Check refuse.
var lateRules = diag.Rules{
	{
		Code:   MixedSlices,
		Title:  "packet slice and plain slice in one variable or result",
		Why:    "one ends where the packet does, the other has a length",
		WayOut: "keep the two apart",
	},
	{
		Code:   PacketVariable,
		Title:  "packet slice in memory of another type",
		Why:    "only the type tells that it ends where the packet does",
		WayOut: "declare the variable with the packet slice type",
	},
	{
		Code:   PlainToPacket,
		Title:  "plain slice made a packet slice",
		Why:    "it does not end where the packet does",
		WayOut: "take a []byte where both kinds must do",
	},
	{
		Code:   PacketCapacity,
		Title:  "packet slice with three indices",
		Why:    "a packet slice has no capacity of its own",
		WayOut: "leave out the third index",
	},
	{
		Code:   ConstantString,
		Title:  "string that is not constant where one is needed",
		Why:    "bytes are compared a word at a time with constants",
		WayOut: "pass a constant",
	},
	{
		Code:   LogCall,
		Title:  "log call that the kernel can't print",
		Why:    "the kernel formats the line itself",
		WayOut: "use a constant format with one integer for each verb",
	},
	{
		Code:   AtomicSize,
		Title:  "atomic operation on one or two bytes",
		Why:    "BPF has none",
		WayOut: "use a 32 or 64 bit integer",
	},
	{
		Code:   StackSize,
		Title:  "stack overflow",
		Why:    "the stack has 512 bytes for all calls together",
		WayOut: "keep large values in a bpf.Scratch map",
	},
	{
		Code:   NoForm,
		Title:  "construct that BPF has no form for",
		Why:    "the compiler has not learnt it",
		WayOut: "write it another way",
	},
	{
		Code:   FuncChoice,
		Title:  "function value that depends on the way the program takes",
		Why:    "BPF has no jump to an address known at run time",
		WayOut: "call the functions in the branches of an if or switch",
	},
	{
		Code:   StalePacket,
		Title:  "packet slice used after a helper that may move the packet",
		Why:    "the kernel may have put the packet elsewhere, so no pointer into it is valid any more",
		WayOut: "make the slice again with ctx.Data()",
		Example: `package p

import "github.com/waggle-bpf/waggle/bpf/tc"

//bpf:tc
func F(ctx *tc.Context) tc.Action {
	b := ctx.Data()
	if !ctx.Pull(100).Ok() || len(b) < 1 || b[0] == 0 {
		return tc.Drop
	}
	return tc.OK
}
`,
	},
	{
		Code:   PointerChoice,
		Title:  "pointer, slice or string picked out of an array by an index that depends on data",
		Why:    "the verifier knows what lies at each place of the stack, but takes what lies at one of several for a number",
		WayOut: "choose by a switch over the index",
		Example: `package p

import "github.com/waggle-bpf/waggle/bpf/xdp"

//bpf:xdp
func F(ctx *xdp.Context) xdp.Action {
	x, y := ctx.RxQueueIndex, ctx.IngressIfIndex
	p := [2]*uint32{&x, &y}
	*p[ctx.RxQueueIndex&1]++
	return xdp.Action(x + y)
}
`,
	},
}
