// Package ports lowers the destination port of UDP and TCP packets by one.
package ports

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	eth := packet.At[packet.Ethernet](b, 0)
	if eth == nil {
		return xdp.Aborted
	}
	var proto packet.Proto
	off := packet.EthernetLen
	switch eth.Type {
	case packet.TypeIPv4:
		ip := packet.At[packet.IPv4](b, off)
		if ip == nil || ip.HeaderLen() < packet.IPv4Len {
			return xdp.Aborted
		}
		proto, off = ip.Proto, off+ip.HeaderLen()
	case packet.TypeIPv6:
		ip := packet.At[packet.IPv6](b, off)
		if ip == nil {
			return xdp.Aborted
		}
		proto, off = ip.NextHeader, off+packet.IPv6Len
	default:
		return xdp.Pass
	}
	switch proto {
	case packet.ProtoUDP:
		udp := packet.At[packet.UDP](b, off)
		if udp == nil {
			return xdp.Aborted
		}
		udp.DstPort = bpf.ToBE16(udp.DstPort.Host() - 1)
	case packet.ProtoTCP:
		tcp := packet.At[packet.TCP](b, off)
		if tcp == nil {
			return xdp.Aborted
		}
		tcp.DstPort = bpf.ToBE16(tcp.DstPort.Host() - 1)
	}
	return xdp.Pass
}
