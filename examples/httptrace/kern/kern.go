// Package kern is the kernel half of httptrace: it copies every packet that
// starts an HTTP request to user space.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// MaxPacket is how much of a packet is copied, in bytes.
const MaxPacket = 1024

// Request goes ahead of the copy of its packet.
type Request struct {
	Client packet.Addr
	// The request starts at this offset of the copy, which has Len bytes. What
	// lies beyond the copy, because headers fill it, starts at its end.
	Offset, Len uint32
}

// Port is the servers' port; 0 stands for all. User space sets it before the
// program is loaded, so that the verifier removes what it makes unnecessary.
//
//bpf:const
var Port uint16

// Requests takes the requests to user space. It is a perf buffer because that
// takes the packet along without a detour through the program's memory.
var Requests bpf.PerfEventArray[Request]

// Trace looks for requests and lets every packet pass.
//
//bpf:xdp
func Trace(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if !p.IsTCP() || Port != 0 && p.DstPort() != Port {
		return xdp.Pass
	}
	if packet.HTTPMethod(p.Payload) == packet.NoMethod {
		return xdp.Pass
	}
	n := min(ctx.Len(), MaxPacket)
	r := Request{Client: p.Src(), Offset: uint32(min(p.L7, n)), Len: uint32(n)}
	Requests.OutputPacket(ctx, &r, r.Len)
	return xdp.Pass
}
