// Package kern is the kernel half of firewall: it drops packets by the address
// they come from.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Action is what happens to a packet.
type Action uint32

// The actions.
const (
	Allow Action = iota
	Deny
)

// String names the action. Only user space calls it: functions that no program
// reaches may use all of Go.
func (a Action) String() string {
	if a == Deny {
		return "deny"
	}
	return "allow"
}

// Rule is what happens to the packets from a prefix.
type Rule struct {
	Packets uint64 // that the rule has decided on
	Action  Action
}

// Rules are the firewall's rules. Of those that match an address, the one with
// the longest prefix counts. User space may change them while packets flow.
var Rules = bpf.LPMTrie[packet.Prefix, Rule]{MaxEntries: 4096}

// Filter drops what comes from a denied prefix. What no rule matches passes.
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
	if rule.Action == Deny {
		return xdp.Drop
	}
	return xdp.Pass
}
