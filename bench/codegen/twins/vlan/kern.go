// Package vlan takes the outer VLAN tag off a frame, or puts one on if it has none.
package vlan

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// ID is the VLAN that frames without a tag join.
//
//bpf:const
var ID uint16 = 7

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	eth := packet.At[packet.Ethernet](ctx.Data(), 0)
	if eth == nil {
		return xdp.Pass
	}
	h := *eth
	if packet.IsVLAN(h.Type) {
		return pop(ctx, h)
	}
	return push(ctx, h)
}

func pop(ctx *xdp.Context, h packet.Ethernet) xdp.Action {
	tag := packet.At[packet.VLAN](ctx.Data(), packet.EthernetLen)
	if tag == nil {
		return xdp.Pass
	}
	h.Type = tag.Type
	if !ctx.AdjustHead(packet.VLANLen).Ok() {
		return xdp.Drop
	}
	eth := packet.At[packet.Ethernet](ctx.Data(), 0)
	if eth == nil {
		return xdp.Drop
	}
	*eth = h
	return xdp.Pass
}

func push(ctx *xdp.Context, h packet.Ethernet) xdp.Action {
	if !ctx.AdjustHead(-packet.VLANLen).Ok() {
		return xdp.Drop
	}
	b := ctx.Data()
	eth, tag := packet.At[packet.Ethernet](b, 0), packet.At[packet.VLAN](b, packet.EthernetLen)
	if eth == nil || tag == nil {
		return xdp.Drop
	}
	*tag = packet.VLAN{TCI: bpf.ToBE16(ID), Type: h.Type}
	*eth = h
	eth.Type = packet.TypeVLAN
	return xdp.Pass
}
