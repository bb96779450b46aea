// Package vlanparse collects the identifiers of a packet's VLAN tags, outermost
// first, and drops packets by the innermost.
package vlanparse

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Blocked is the VLAN whose packets are dropped. Settable before load.
//
//bpf:const
var Blocked uint16 = 42

const maxTags = 4

// tags are the identifiers of a packet's tags.
type tags struct {
	n   int
	ids [maxTags]uint16
}

// parse collects tags and returns the type of what follows.
func (t *tags) parse(b packet.Bytes) (typ bpf.BE16, ok bool) {
	eth := packet.At[packet.Ethernet](b, 0)
	if eth == nil {
		return 0, false
	}
	typ = eth.Type
	for i := range maxTags {
		if !packet.IsVLAN(typ) {
			break
		}
		tag := packet.At[packet.VLAN](b, packet.EthernetLen+i*packet.VLANLen)
		if tag == nil {
			return 0, false
		}
		t.ids[i] = tag.ID()
		t.n = i + 1
		typ = tag.Type
	}
	return typ, true
}

// Depth counts packets by number of tags.
var Depth = bpf.Array[uint64]{MaxEntries: maxTags + 1}

// Filter drops packets of the blocked VLAN.
//
//bpf:xdp
func Filter(ctx *xdp.Context) xdp.Action {
	var t tags
	if _, ok := t.parse(ctx.Data()); !ok {
		return xdp.Aborted
	}
	if n := Depth.Lookup(uint32(t.n)); n != nil {
		bpf.AtomicAdd(n, 1)
	}
	if t.n > 0 && t.ids[t.n-1] == Blocked {
		return xdp.Drop
	}
	return xdp.Pass
}
