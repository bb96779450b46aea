// Package findsock drops TCP packets for which no socket of this machine is there:
// a firewall that needs no rules for replies.
package findsock

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// What became of packets: for a connection, for a listening socket, for nobody.
var Established, Listening, Stray uint64

// Filter drops a packet for nobody.
//
//bpf:tc
func Filter(ctx *tc.Context) tc.Action {
	p := packet.Parse(ctx.Data())
	if p.TCP == nil {
		return tc.Next
	}
	s := find(ctx, &p)
	if s == nil {
		bpf.AtomicAdd(&Stray, 1)
		return tc.Drop
	}
	if s.State == sk.Listening {
		bpf.AtomicAdd(&Listening, 1)
	} else {
		bpf.AtomicAdd(&Established, 1)
	}
	s.Release()
	return tc.Next
}

// find returns the socket of a packet.
func find(ctx *tc.Context, p *packet.Packet) *sk.Sock {
	switch {
	case p.IPv4 != nil:
		return sk.FindTCP(ctx, &sk.Tuple4{
			Src: p.IPv4.SrcIP, Dst: p.IPv4.DstIP, SrcPort: p.TCP.SrcPort, DstPort: p.TCP.DstPort,
		})
	case p.IPv6 != nil:
		return sk.FindTCP(ctx, &sk.Tuple6{
			Src: p.IPv6.SrcIP.Words(), Dst: p.IPv6.DstIP.Words(), SrcPort: p.TCP.SrcPort, DstPort: p.TCP.DstPort,
		})
	}
	return nil
}
