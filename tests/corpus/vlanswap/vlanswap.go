// Package vlanswap takes the VLAN tag off packets that have one and puts one on
// packets that have none, by moving the start of the packet.
package vlanswap

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// ID is the VLAN that packets are put into. Settable before load.
//
//bpf:const
var ID uint16 = 1

// Swap takes a tag off or puts one on.
//
//bpf:xdp
func Swap(ctx *xdp.Context) xdp.Action {
	eth := packet.At[packet.Ethernet](ctx.Data(), 0)
	if eth == nil {
		return xdp.Pass
	}
	if packet.IsVLAN(eth.Type) {
		return pop(ctx, *eth)
	}
	return push(ctx, *eth)
}

// pop moves the addresses over the tag. eth is a copy: moving the packet makes
// pointers into it invalid.
func pop(ctx *xdp.Context, eth packet.Ethernet) xdp.Action {
	tag := packet.At[packet.VLAN](ctx.Data(), packet.EthernetLen)
	if tag == nil {
		return xdp.Pass
	}
	eth.Type = tag.Type
	if ctx.AdjustHead(packet.VLANLen) != bpf.OK {
		return xdp.Aborted
	}
	h := packet.At[packet.Ethernet](ctx.Data(), 0)
	if h == nil {
		return xdp.Aborted
	}
	*h = eth
	return xdp.Pass
}

// push makes room in front and moves the addresses there.
func push(ctx *xdp.Context, eth packet.Ethernet) xdp.Action {
	if ctx.AdjustHead(-packet.VLANLen) != bpf.OK {
		return xdp.Aborted
	}
	b := ctx.Data()
	h := packet.At[packet.Ethernet](b, 0)
	tag := packet.At[packet.VLAN](b, packet.EthernetLen)
	if h == nil || tag == nil {
		return xdp.Aborted
	}
	*tag = packet.VLAN{TCI: bpf.ToBE16(ID), Type: eth.Type}
	eth.Type = packet.TypeVLAN
	*h = eth
	return xdp.Pass
}
