// Package dispatch leaves for the program that handles the packet's protocol.
package dispatch

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Indexes into Handlers.
const (
	other = iota
	arp
	tcp
	udp
	icmp
	numHandlers
)

// Handlers are programs by protocol.
var Handlers = bpf.ProgArray{MaxEntries: numHandlers}

// Unhandled counts packets that no program wanted, by protocol.
var Unhandled = bpf.PerCPUArray[uint64]{MaxEntries: numHandlers}

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	i := classify(ctx.Data())
	Handlers.TailCall(ctx, i)
	if n := Unhandled.Lookup(i); n != nil {
		*n++
	}
	return xdp.Pass
}

func classify(b packet.Bytes) uint32 {
	eth := packet.At[packet.Ethernet](b, 0)
	if eth == nil {
		return other
	}
	switch eth.Type {
	case packet.TypeARP:
		return arp
	case packet.TypeIPv4:
		if ip := packet.At[packet.IPv4](b, packet.EthernetLen); ip != nil {
			return transport(ip.Proto)
		}
	case packet.TypeIPv6:
		if ip := packet.At[packet.IPv6](b, packet.EthernetLen); ip != nil {
			return transport(ip.NextHeader)
		}
	}
	return other
}

func transport(p packet.Proto) uint32 {
	switch p {
	case packet.ProtoTCP:
		return tcp
	case packet.ProtoUDP:
		return udp
	case packet.ProtoICMP, packet.ProtoICMPv6:
		return icmp
	}
	return other
}
