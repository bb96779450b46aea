// Package calls: inlining, real calls, byte order.
package calls

import (
	"encoding/binary"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

var in, out uint64

func square(x uint64) uint64 { return x * x }

//bpf:noinline
func cube(x uint64) uint64 { return x * x * x }

//bpf:xdp
func Inlined(*xdp.Context) xdp.Action { // bpf-func: -`call`
	out = square(in) + square(in+1)
	return xdp.Pass
}

//bpf:xdp
func Called(*xdp.Context) xdp.Action { // bpf-func: 2`call cube`
	out = cube(in) + cube(in+1)
	return xdp.Pass
}

var port uint16

//bpf:xdp
func ByteOrder(ctx *xdp.Context) xdp.Action { // bpf-func: 1`\*\(u16`
	b := ctx.Data()
	if len(b) < 14 {
		return xdp.Pass
	}
	if binary.BigEndian.Uint16(b[12:14]) == 0x0800 {
		return xdp.Drop
	}
	return xdp.Pass
}

//bpf:xdp
func Constant(ctx *xdp.Context) xdp.Action { // bpf-func: -`be16`
	// The constant is swapped by the compiler, not the packet by the program.
	tcp := packet.At[packet.TCP](ctx.Data(), 0)
	if tcp != nil && tcp.DstPort == bpf.ToBE16(443) {
		return xdp.Drop
	}
	return xdp.Pass
}
