// Package redirect sends packets on to other interfaces: all of them to one, or by
// source address through a map of devices, which is faster.
package redirect

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Target and TargetMAC are interface and address of where Redirect sends to.
// Settable before load.
//
//bpf:const
var (
	Target    uint32
	TargetMAC packet.MAC
)

// Ports holds the interfaces of RedirectMap.
var Ports = bpf.DevMap{MaxEntries: 256}

// Hop is where packets of a sender go.
type Hop struct {
	Port uint32 // index in Ports
	MAC  packet.MAC
	_    [2]byte
}

// Hops holds the way for each sender.
var Hops = bpf.Hash[packet.MAC, Hop]{MaxEntries: 64}

// Redirect sends a packet to the one target.
//
//bpf:xdp
func Redirect(ctx *xdp.Context) xdp.Action {
	eth := packet.At[packet.Ethernet](ctx.Data(), 0)
	if eth == nil {
		return xdp.Pass
	}
	eth.Dst = TargetMAC
	return ctx.Redirect(Target)
}

// RedirectMap sends a packet where its sender's packets go.
//
//bpf:xdp
func RedirectMap(ctx *xdp.Context) xdp.Action {
	eth := packet.At[packet.Ethernet](ctx.Data(), 0)
	if eth == nil {
		return xdp.Pass
	}
	hop := Hops.Lookup(eth.Src)
	if hop == nil {
		return xdp.Pass
	}
	eth.Dst = hop.MAC
	return xdp.RedirectMap(ctx, &Ports, hop.Port, xdp.Aborted)
}
