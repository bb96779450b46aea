// Package lpmfirewall drops packets by source network. The longest prefix that
// matches decides, so an address can be let through from a blocked network.
package lpmfirewall

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Net is a network. IPv4 networks are mapped into IPv6: their Bits are 96 more.
type Net struct {
	Bits uint32
	Addr packet.Addr
}

// Rule is what happens to a network's packets.
type Rule struct {
	Verdict xdp.Action
	_       [4]byte
	Packets uint64
}

// Rules holds the rules.
var Rules = bpf.LPMTrie[Net, Rule]{MaxEntries: 1024}

// Filter applies the rules to a packet.
//
//bpf:xdp
func Filter(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if !p.IsIP() {
		return xdp.Pass
	}
	rule := Rules.Lookup(Net{Bits: 128, Addr: p.Src()})
	if rule == nil {
		return xdp.Pass
	}
	bpf.AtomicAdd(&rule.Packets, 1)
	return rule.Verdict
}
