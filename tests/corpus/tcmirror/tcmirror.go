// Package tcmirror sends a copy of every packet from or to one address to another
// interface, inside a VLAN so that whoever listens can tell the copies apart.
package tcmirror

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// What to mirror, and where to. Settable before load.
//
//bpf:const
var (
	Host   packet.Addr
	Target uint32 // interface
	VLAN   uint16 = 100
)

// What became of packets.
var Mirrored, Failed uint64

// Mirror copies a packet.
//
//bpf:tc
func Mirror(ctx *tc.Context) tc.Action {
	p := packet.Parse(ctx.Data())
	if p.Src() != Host && p.Dst() != Host {
		return tc.Next
	}
	if ctx.VLANPush(packet.TypeVLAN, VLAN) != bpf.OK {
		bpf.AtomicAdd(&Failed, 1)
		return tc.Next
	}
	if ctx.CloneRedirect(Target, tc.Egress) == bpf.OK {
		bpf.AtomicAdd(&Mirrored, 1)
	} else {
		bpf.AtomicAdd(&Failed, 1)
	}
	if ctx.VLANPop() != bpf.OK {
		return tc.Drop
	}
	return tc.Next
}
