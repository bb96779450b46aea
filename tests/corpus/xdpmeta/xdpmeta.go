// Package xdpmeta passes a note from an XDP program to a tc program of the same
// packet: the XDP program classifies, the tc program acts on the class.
package xdpmeta

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Class is what a packet is.
type Class uint32

// The classes.
const (
	Other    Class = iota
	Bulk           // TCP with payload
	Control        // TCP without
	Datagram       // UDP
	numClasses
)

// note is what lies before the packet.
type note struct {
	magic uint32
	class Class
}

const magic = 0x77676c65

// Seen counts packets by class, as the tc program sees them.
var Seen [numClasses]uint64

// Unmarked counts packets without a note.
var Unmarked uint64

// Classify writes the note.
//
//bpf:xdp
func Classify(ctx *xdp.Context) xdp.Action {
	class := classOf(ctx.Data())
	if ctx.AdjustMeta(-int(unsafe.Sizeof(note{}))) != bpf.OK {
		return xdp.Pass // the driver has no room for it
	}
	if n := packet.At[note](ctx.Meta(), 0); n != nil {
		*n = note{magic, class}
	}
	return xdp.Pass
}

func classOf(b packet.Bytes) Class {
	p := packet.Parse(b)
	switch {
	case p.UDP != nil:
		return Datagram
	case p.TCP == nil:
		return Other
	case p.PayloadLen() > 0:
		return Bulk
	}
	return Control
}

// Act reads the note.
//
//bpf:tcx/ingress
func Act(ctx *tc.Context) tc.Action {
	n := packet.At[note](ctx.Meta(), 0)
	if n == nil || n.magic != magic || n.class >= numClasses {
		bpf.AtomicAdd(&Unmarked, 1)
		return tc.Next
	}
	bpf.AtomicAdd(&Seen[n.class], 1)
	ctx.Priority = uint32(n.class)
	return tc.Next
}
