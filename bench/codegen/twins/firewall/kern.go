// Package firewall drops packets from listed networks.
package firewall

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Prefix is a network, the key of a longest-prefix match.
type Prefix struct {
	Bits uint32
	Addr bpf.BE32
}

// Rule says what happens to packets of a network.
type Rule struct {
	Drop    uint32
	_       uint32
	Packets uint64
}

// Rules by network.
var Rules = bpf.LPMTrie[Prefix, Rule]{MaxEntries: 1024}

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
	r := Rules.Lookup(Prefix{Bits: 32, Addr: ip.SrcIP})
	if r == nil {
		return xdp.Pass
	}
	bpf.AtomicAdd(&r.Packets, 1)
	if r.Drop != 0 {
		return xdp.Drop
	}
	return xdp.Pass
}
