// Package lpmfirewall drops packets by source network. The longest prefix that
// matches decides, so an address can be let through from a blocked network.
package lpmfirewall

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Rule is what happens to a network's packets.
type Rule struct {
	Verdict xdp.Action
	_       [4]byte
	Packets uint64
}

// Rules holds the rules by network of the sender.
var Rules = bpf.LPMTrie[packet.Prefix, Rule]{MaxEntries: 1024}

// Filter applies the rules to a packet.
//
//bpf:xdp
func Filter(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if !p.IsIP() {
		return xdp.Pass
	}
	rule := Rules.Lookup(p.Src().Prefix())
	if rule == nil {
		return xdp.Pass
	}
	bpf.AtomicAdd(&rule.Packets, 1)
	return rule.Verdict
}
