// Package kern is the kernel half of firewall: it drops packets by the address
// they come from.
package kern

import (
	"net/netip"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Prefix is a range of addresses. An IPv4 prefix is one of 96 bits more, as the
// addresses are mapped into IPv6.
type Prefix struct {
	Bits uint32
	Addr packet.Addr
}

// PrefixFrom converts a prefix of package net/netip. Only user space calls it:
// functions that no program reaches may use all of Go.
func PrefixFrom(p netip.Prefix) Prefix {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return Prefix{Bits: uint32(bits), Addr: packet.AddrFrom(p.Masked().Addr())}
}

// Netip converts p to a prefix of package net/netip.
func (p Prefix) Netip() netip.Prefix {
	addr, bits := p.Addr.Netip(), int(p.Bits)
	if addr.Is4() {
		bits -= 96
	}
	return netip.PrefixFrom(addr, bits)
}

// Action is what happens to a packet.
type Action uint32

// The actions.
const (
	Allow Action = iota
	Deny
)

// String names the action. It is for user space, too.
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
var Rules = bpf.LPMTrie[Prefix, Rule]{MaxEntries: 4096, Flags: bpf.NoPrealloc}

// Filter drops what comes from a denied prefix. What no rule matches passes.
//
//bpf:xdp
func Filter(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if !p.IsIP() {
		return xdp.Pass
	}
	rule := Rules.Lookup(Prefix{Bits: 128, Addr: p.Src()})
	if rule == nil {
		return xdp.Pass
	}
	bpf.AtomicAdd(&rule.Packets, 1)
	if rule.Action == Deny {
		return xdp.Drop
	}
	return xdp.Pass
}
