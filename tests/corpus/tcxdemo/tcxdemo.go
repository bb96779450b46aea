// Package tcxdemo is two programs on one hook that share variables: the first
// looks at packets and leaves them to the next, the second counts and decides.
package tcxdemo

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// What the first program saw last.
var (
	LastLen      uint32
	LastProtocol uint16 // Ethernet type in host byte order
	LastIfIndex  uint32
)

// How often each program ran.
var (
	Looked  uint64
	Decided uint64
)

// Look notes what a packet is.
//
//bpf:tcx/ingress
func Look(ctx *tc.Context) tc.Action {
	LastLen, LastProtocol, LastIfIndex = ctx.Len, ctx.EtherType().Host(), ctx.IfIndex
	bpf.AtomicAdd(&Looked, 1)
	return tc.Next
}

// Decide drops ARP and passes the rest.
//
//bpf:tcx/ingress
func Decide(ctx *tc.Context) tc.Action {
	bpf.AtomicAdd(&Decided, 1)
	if ctx.EtherType() == packet.TypeARP {
		return tc.Drop
	}
	return tc.OK
}
