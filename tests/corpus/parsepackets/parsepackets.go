// Package parsepackets walks through headers with a cursor of its own, instead of
// package packet's Parse: it drops every second ping, by sequence number, over
// IPv4 and IPv6, inside a VLAN too.
package parsepackets

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Dropped counts the packets that were dropped.
var Dropped uint64

// cursor is a place in a packet.
type cursor struct {
	data packet.Bytes
	off  int
}

// next returns the header at the cursor and moves behind it; nil if the packet
// ends before.
func next[T any](c *cursor) *T {
	h := packet.At[T](c.data, c.off)
	if h != nil {
		c.off += int(unsafe.Sizeof(*h))
	}
	return h
}

// maxTags is how many VLAN tags are skipped.
const maxTags = 4

// ethernet moves behind the Ethernet header and VLAN tags and returns the type of
// what follows, 0 if there is nothing.
func (c *cursor) ethernet() bpf.BE16 {
	eth := next[packet.Ethernet](c)
	if eth == nil {
		return 0
	}
	typ := eth.Type
	for range maxTags {
		if !packet.IsVLAN(typ) {
			break
		}
		tag := next[packet.VLAN](c)
		if tag == nil {
			return 0
		}
		typ = tag.Type
	}
	return typ
}

// ipv4 moves behind the IPv4 header and its options and returns the protocol.
func (c *cursor) ipv4() (packet.Proto, bool) {
	start := c.off
	h := next[packet.IPv4](c)
	if h == nil || h.HeaderLen() < packet.IPv4Len {
		return 0, false
	}
	c.off = start + h.HeaderLen()
	return h.Proto, true
}

// Parse drops pings with an even sequence number.
//
//bpf:xdp
func Parse(ctx *xdp.Context) xdp.Action {
	c := cursor{data: ctx.Data()}
	switch c.ethernet() {
	case packet.TypeIPv4:
		if proto, ok := c.ipv4(); ok && proto == packet.ProtoICMP {
			return ping(&c, packet.ICMPEcho)
		}
	case packet.TypeIPv6:
		if h := next[packet.IPv6](&c); h != nil && h.NextHeader == packet.ProtoICMPv6 {
			return ping(&c, packet.ICMPv6Echo)
		}
	}
	return xdp.Pass
}

func ping(c *cursor, echo uint8) xdp.Action {
	h := next[packet.ICMP](c)
	if h == nil || h.Type != echo || h.Seq.Host()%2 != 0 {
		return xdp.Pass
	}
	bpf.AtomicAdd(&Dropped, 1)
	return xdp.Drop
}
