// Package sockfilter is a socket filter that reports the addresses and ports of
// the IPv4 packets that a socket receives.
package sockfilter

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// Event is one packet.
type Event struct {
	SrcIP, DstIP bpf.BE32
	Ports        uint32 // as they lie in the packet, the source's first
	Proto        packet.Proto
	_            [3]byte
	PacketType   uint32
	IfIndex      uint32
}

// Events carries the packets.
var Events = bpf.RingBuf[Event]{MaxEntries: 256 << 10}

// Report reports a packet and lets the socket have all of it.
//
//bpf:socket
func Report(ctx *sk.FilterContext) sk.Keep {
	var typ bpf.BE16
	if sk.Load(ctx, 12, &typ) != bpf.OK || typ != packet.TypeIPv4 {
		return sk.KeepAll
	}
	var ip packet.IPv4
	if sk.Load(ctx, packet.EthernetLen, &ip) != bpf.OK || ip.IsFragment() {
		return sk.KeepAll
	}
	e := Events.Reserve()
	if e == nil {
		return sk.KeepAll
	}
	*e = Event{
		SrcIP: ip.SrcIP, DstIP: ip.DstIP, Proto: ip.Proto,
		PacketType: ctx.PacketType, IfIndex: ctx.IfIndex,
	}
	if ip.Proto != packet.ProtoGRE {
		sk.Load(ctx, packet.EthernetLen+ip.HeaderLen(), &e.Ports)
	}
	Events.Submit(e)
	return sk.KeepAll
}
