// Package tcreply undoes on the way out what a port rewrite did on the way in:
// replies from port 4039 leave with source port 4040. The checksum is updated
// from the difference, without reading the payload.
package tcreply

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// From and To are the source ports before and after. Settable before load.
//
//bpf:const
var From, To uint16 = 4039, 4040

// Rewritten counts changed packets.
var Rewritten uint64

// Reply rewrites a packet that leaves.
//
//bpf:tc
func Reply(ctx *tc.Context) tc.Action {
	p := packet.Parse(ctx.Data())
	from, to := packet.Port(From), packet.Port(To)
	switch {
	case p.UDP != nil && p.UDP.SrcPort == from:
		p.UDP.SrcPort = to
		p.UDP.Checksum = packet.UpdateUDPChecksum(p.UDP.Checksum, from, to)
	case p.TCP != nil && p.TCP.SrcPort == from:
		p.TCP.SrcPort = to
		p.TCP.Checksum = packet.UpdateChecksum(p.TCP.Checksum, from, to)
	default:
		return tc.OK
	}
	bpf.AtomicAdd(&Rewritten, 1)
	return tc.OK
}
