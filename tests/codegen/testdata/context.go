// Package context: kernels before Linux 6.4 store no constants into a context.
package context

import "github.com/waggle-bpf/waggle/bpf/tc"

//bpf:tc
func Store(ctx *tc.Context) tc.Action {
	ctx.Mark = 0         // bpf: `\*\(u32 \*\)\(r\d \+8\) = r\d`
	ctx.CB = [5]uint32{} // bpf: `= r\d` -`\) = \d`
	set(ctx, &ctx.CB[2])
	return tc.OK
}

//bpf:noinline
func set(ctx *tc.Context, p *uint32) {
	ctx.TCIndex = 7 // bpf: `\+44\) = r\d`
	*p = 1          // bpf: `= r\d`
}
