// Package sources counts packets by IPv4 source address.
package sources

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Packets by source.
var Packets = bpf.LRUHash[bpf.BE32, uint32]{MaxEntries: 16}

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	eth := packet.At[packet.Ethernet](b, 0)
	if eth == nil || eth.Type != packet.TypeIPv4 {
		return xdp.Pass
	}
	ip := packet.At[packet.IPv4](b, packet.EthernetLen)
	if ip == nil {
		return xdp.Pass
	}
	if n := Packets.Lookup(ip.SrcIP); n != nil {
		bpf.AtomicAdd(n, 1)
	} else {
		Packets.Update(ip.SrcIP, 1, bpf.Any)
	}
	return xdp.Pass
}
