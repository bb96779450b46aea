// Package sources counts packets by IPv4 source address, in a table that forgets
// the address that was quiet for longest when it is full.
package sources

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Packets holds the count of each address.
var Packets = bpf.LRUHash[bpf.BE32, uint32]{MaxEntries: 16}

// Count counts a packet.
//
//bpf:xdp
func Count(ctx *xdp.Context) xdp.Action {
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
