// Package samplepackets sends the first bytes of each packet to user space, for a
// capture file. The kernel copies them straight from the packet.
package samplepackets

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// SampleSize is how many bytes are sent at most. Settable before load.
//
//bpf:const
var SampleSize uint32 = 1024

// Cookie marks the samples of this program.
const Cookie = 0xdead

// Sample is in front of the bytes of a packet.
type Sample struct {
	Cookie uint16
	Len    uint16 // length of the packet
	CapLen uint16 // how much of it follows
}

// Samples carries the samples.
var Samples bpf.PerfEventArray[Sample]

// Capture sends a sample of a packet.
//
//bpf:xdp
func Capture(ctx *xdp.Context) xdp.Action {
	size := uint32(ctx.Len())
	n := min(size, SampleSize)
	Samples.OutputPacket(ctx, &Sample{Cookie: Cookie, Len: uint16(size), CapLen: uint16(n)}, n)
	return xdp.Pass
}
