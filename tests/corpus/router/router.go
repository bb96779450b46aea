// Package router forwards IPv4 and IPv6 packets by the kernel's own routing and
// neighbour tables, but in the driver.
package router

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Ports holds the interfaces to forward to, each under its own index.
var Ports = bpf.DevMapHash{MaxEntries: 64}

// Results counts look-ups by xdp.FIBResult.
var Results = bpf.Array[uint64]{MaxEntries: 16}

// Route forwards a packet.
//
//bpf:xdp
func Route(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	eth := packet.At[packet.Ethernet](b, 0)
	if eth == nil {
		return xdp.Pass
	}
	q := sk.FIBLookup{IfIndex: ctx.IngressIfIndex}
	switch eth.Type {
	case packet.TypeIPv4:
		ip := packet.At[packet.IPv4](b, packet.EthernetLen)
		if ip == nil || ip.TTL <= 1 {
			return xdp.Pass
		}
		ask4(&q, ip)
		verdict := lookup(ctx, &q)
		if verdict == xdp.Redirect {
			age(ip)
		}
		return forward(ctx, verdict, eth, &q)
	case packet.TypeIPv6:
		ip := packet.At[packet.IPv6](b, packet.EthernetLen)
		if ip == nil || ip.HopLimit <= 1 {
			return xdp.Pass
		}
		ask6(&q, ip)
		verdict := lookup(ctx, &q)
		if verdict == xdp.Redirect {
			ip.HopLimit--
		}
		return forward(ctx, verdict, eth, &q)
	}
	return xdp.Pass
}

func ask4(q *sk.FIBLookup, ip *packet.IPv4) {
	q.Family = sk.AFInet
	q.Proto = uint8(ip.Proto)
	q.Len = ip.TotalLen.Host()
	q.Flow = bpf.BE32(ip.TOS)
	q.Src[0], q.Dst[0] = ip.SrcIP, ip.DstIP
}

func ask6(q *sk.FIBLookup, ip *packet.IPv6) {
	q.Family = sk.AFInet6
	q.Proto = uint8(ip.NextHeader)
	q.Len = ip.PayloadLen.Host()
	q.Flow = ip.VersionClassFlow & bpf.ToBE32(0x0fffffff)
	q.Src, q.Dst = ip.SrcIP.Words(), ip.DstIP.Words()
}

// lookup asks the kernel and tells what to do with the packet.
func lookup(ctx *xdp.Context, q *sk.FIBLookup) xdp.Action {
	result := ctx.FIBLookup(q, 0)
	if n := Results.Lookup(uint32(result)); n != nil {
		bpf.AtomicAdd(n, 1)
	}
	switch result {
	case xdp.FIBSuccess:
		return xdp.Redirect
	case xdp.FIBBlackhole, xdp.FIBUnreachable, xdp.FIBProhibit:
		return xdp.Drop
	}
	return xdp.Pass // the kernel knows better
}

// age decrements the time to live. It is half of a 16-bit word of the header.
func age(ip *packet.IPv4) {
	from := ageWord(ip)
	ip.TTL--
	ip.Checksum = packet.UpdateChecksum(ip.Checksum, from, ageWord(ip))
}

func ageWord(ip *packet.IPv4) bpf.BE16 { return bpf.BE16(ip.TTL) | bpf.BE16(ip.Proto)<<8 }

func forward(ctx *xdp.Context, verdict xdp.Action, eth *packet.Ethernet, q *sk.FIBLookup) xdp.Action {
	if verdict != xdp.Redirect {
		return verdict
	}
	eth.Dst, eth.Src = q.DstMAC, q.SrcMAC
	return xdp.RedirectMap(ctx, &Ports, q.IfIndex, xdp.Pass)
}
