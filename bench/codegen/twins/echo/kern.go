// Package echo answers ICMP echo requests from the driver.
package echo

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

const (
	echoRequest = 8
	echoReply   = 0
)

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	eth := packet.At[packet.Ethernet](b, 0)
	if eth == nil || eth.Type != packet.TypeIPv4 {
		return xdp.Pass
	}
	ip := packet.At[packet.IPv4](b, packet.EthernetLen)
	if ip == nil || ip.Proto != packet.ProtoICMP || ip.HeaderLen() != packet.IPv4Len {
		return xdp.Pass
	}
	icmp := packet.At[packet.ICMP](b, packet.EthernetLen+packet.IPv4Len)
	if icmp == nil || icmp.Type != echoRequest {
		return xdp.Pass
	}
	ip.SrcIP, ip.DstIP = ip.DstIP, ip.SrcIP
	eth.Src, eth.Dst = eth.Dst, eth.Src
	icmp.Type = echoReply
	sum := uint32(icmp.Checksum) + uint32(bpf.ToBE16(echoRequest<<8))
	icmp.Checksum = bpf.BE16(sum + sum>>16)
	return xdp.TX
}
