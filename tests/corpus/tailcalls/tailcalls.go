// Package tailcalls is a chain of programs that hand a packet on to each other,
// each with a stack and a verifier budget of its own. TCP and UDP have their handlers
// from the start, user space may add more.
package tailcalls

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Handlers holds the program for each protocol.
var Handlers = bpf.ProgArray{MaxEntries: 256}

// What the handlers count.
var (
	TCP, UDP, Unhandled uint64
)

// Dispatch hands a packet to the handler of its protocol. Control comes back only
// if there is none.
//
//bpf:xdp
func Dispatch(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if !p.IsIP() {
		return xdp.Pass
	}
	Handlers.TailCall(ctx, uint32(p.Proto))
	bpf.AtomicAdd(&Unhandled, 1)
	return xdp.Pass
}

// HandleTCP counts a packet and lets it pass.
//
//bpf:xdp
//bpf:slot Handlers packet.ProtoTCP
func HandleTCP(*xdp.Context) xdp.Action {
	bpf.AtomicAdd(&TCP, 1)
	return xdp.Pass
}

// HandleUDP counts a packet and drops it.
//
//bpf:xdp
//bpf:slot Handlers packet.ProtoUDP
func HandleUDP(*xdp.Context) xdp.Action {
	bpf.AtomicAdd(&UDP, 1)
	return xdp.Drop
}
