// Package tailgrow moves the end of packets: one program appends a trailer with a
// sequence number, the other takes it off.
package tailgrow

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Trailer is what is appended.
type Trailer struct {
	Magic bpf.BE32
	Seq   bpf.BE32
}

// Magic tells a trailer from payload.
const Magic = 0x77616767

// TrailerLen is the size of a trailer in bytes.
const TrailerLen = int(unsafe.Sizeof(Trailer{}))

// Seq is the number of the last trailer.
var Seq uint32

// last returns the trailer at the end of a packet; nil if the packet is too short
// for one.
func last(b packet.Bytes) *Trailer { return packet.At[Trailer](b, len(b)-TrailerLen) }

// Grow appends a trailer and sends the packet back.
//
//bpf:xdp
func Grow(ctx *xdp.Context) xdp.Action {
	if ctx.AdjustTail(TrailerLen) != bpf.OK {
		return xdp.Aborted
	}
	t := last(ctx.Data())
	if t == nil {
		return xdp.Aborted
	}
	*t = Trailer{Magic: bpf.ToBE32(Magic), Seq: bpf.ToBE32(bpf.AtomicAdd(&Seq, 1) + 1)}
	return xdp.TX
}

// Shrink takes a trailer off.
//
//bpf:xdp
func Shrink(ctx *xdp.Context) xdp.Action {
	t := last(ctx.Data())
	if t == nil || t.Magic != bpf.ToBE32(Magic) {
		return xdp.Pass
	}
	if ctx.AdjustTail(-TrailerLen) != bpf.OK {
		return xdp.Aborted
	}
	return xdp.TX
}
