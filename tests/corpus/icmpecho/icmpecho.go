// Package icmpecho answers pings in the driver, over IPv4 and IPv6. The kernel
// never sees them.
package icmpecho

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Answered counts pings.
var Answered uint64

// Echo turns a ping into its answer and sends it back.
//
//bpf:xdp
func Echo(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if p.ICMP == nil {
		return xdp.Pass
	}
	switch {
	case p.IPv4 != nil && p.ICMP.Type == packet.ICMPEcho:
		// Exchanging the addresses changes no checksum.
		p.IPv4.SrcIP, p.IPv4.DstIP = p.IPv4.DstIP, p.IPv4.SrcIP
		answer(p.ICMP, packet.ICMPEchoReply)
	case p.IPv6 != nil && p.ICMP.Type == packet.ICMPv6Echo:
		p.IPv6.SrcIP, p.IPv6.DstIP = p.IPv6.DstIP, p.IPv6.SrcIP
		answer(p.ICMP, packet.ICMPv6EchoReply)
	default:
		return xdp.Pass
	}
	p.Eth.Src, p.Eth.Dst = p.Eth.Dst, p.Eth.Src
	bpf.AtomicAdd(&Answered, 1)
	return xdp.TX
}

// answer changes the message's type and updates its checksum by the difference
// that this makes to the first four bytes.
func answer(h *packet.ICMP, typ uint8) {
	type words [4]byte
	from := *(*words)(unsafe.Pointer(h))
	from[2], from[3] = 0, 0 // without the checksum itself
	to := from
	to[0] = typ
	sum := uint32(bpf.CsumDiff(from[:], to[:], uint32(^h.Checksum)))
	h.Type, h.Checksum = typ, packet.Finish(sum)
}
