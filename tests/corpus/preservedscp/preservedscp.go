// Package preservedscp carries the DSCP of packets over an encryption that hides
// it: it reads it on the inside and writes it on the outside. The packet's flow
// hash, which stays the same on the way, tells which packet is which.
package preservedscp

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// HasLinkLayer says that the inner interface's packets start with an Ethernet
// header. Settable before load.
//
//bpf:const
var HasLinkLayer = true

// dscpMask are the bits of the TOS byte that are the DSCP; the others are for
// congestion notification.
const dscpMask = 0xfc

// Marks holds the DSCP of each flow.
var Marks = bpf.LRUHash[uint32, uint8]{MaxEntries: 16384}

// Read notes the DSCP of a packet on its way into the tunnel.
//
//bpf:tc
func Read(ctx *tc.Context) tc.Action {
	p := parse(ctx, HasLinkLayer)
	switch {
	case p.IPv4 != nil:
		Marks.Update(ctx.HashRecalc(), p.IPv4.TOS&dscpMask, bpf.Any)
	case p.IPv6 != nil:
		Marks.Update(ctx.HashRecalc(), p.IPv6.TrafficClass()&dscpMask, bpf.Any)
	}
	return tc.OK
}

// Write puts the DSCP of a flow into the packet that carries it.
//
//bpf:tc
func Write(ctx *tc.Context) tc.Action {
	mark := Marks.Lookup(ctx.HashRecalc())
	if mark == nil {
		return tc.OK
	}
	p := parse(ctx, true)
	switch {
	case p.IPv4 != nil:
		write4(p.IPv4, *mark)
	case p.IPv6 != nil:
		write6(p.IPv6, *mark)
	}
	return tc.OK
}

func parse(ctx *tc.Context, ethernet bool) packet.Packet {
	if ethernet {
		return packet.Parse(ctx.Data())
	}
	return packet.ParseIP(ctx.Data())
}

// write4 changes the TOS, which shares a word of the checksum with the first byte.
func write4(ip *packet.IPv4, mark uint8) {
	from := bpf.BE16(ip.VersionIHL) | bpf.BE16(ip.TOS)<<8
	ip.TOS = ip.TOS&^dscpMask | mark
	to := bpf.BE16(ip.VersionIHL) | bpf.BE16(ip.TOS)<<8
	ip.Checksum = packet.UpdateChecksum(ip.Checksum, from, to)
}

// write6 changes the traffic class, which lies across two bytes.
func write6(ip *packet.IPv6, mark uint8) {
	word := ip.VersionClassFlow.Host()
	word = word&^(dscpMask<<20) | uint32(mark)<<20
	ip.VersionClassFlow = bpf.ToBE32(word)
}
