// Package tcpdump sends the headers of TCP packets to user space, byte by byte into
// a record of the ring buffer.
package tcpdump

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// MaxHeader is the length of the longest TCP header in bytes.
const MaxHeader = 60

// Event is a TCP header.
type Event struct {
	Src, Dst packet.Addr
	Len      uint32 // of the header
	Header   [MaxHeader]byte
}

// Events carries the headers.
var Events = bpf.RingBuf[Event]{MaxEntries: 1 << 20}

// Dump sends the header of a packet.
//
//bpf:xdp
func Dump(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	p := packet.Parse(b)
	if p.TCP == nil {
		return xdp.Pass
	}
	e := Events.Reserve()
	if e == nil {
		return xdp.Pass
	}
	e.Src, e.Dst = p.Src(), p.Dst()
	e.Len = uint32(p.TCP.HeaderLen())
	for i := range MaxHeader {
		e.Header[i] = 0
		if c := packet.At[uint8](b, p.L4+i); c != nil && uint32(i) < e.Len {
			e.Header[i] = *c
		}
	}
	Events.Submit(e)
	return xdp.Pass
}
