package xdp

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// BPFContext marks Context as a bpf.Context.
func (*Context) BPFContext() {}

// Data returns the packet, starting at the Ethernet header.
//
//bpf:intrinsic packet.data data dataEnd
func (c *Context) Data() packet.Bytes {
	return sim.State[*sim.Packet](unsafe.Pointer(c), "xdp.Context.Data").Data()
}

// Len returns the length of the packet that Data returns.
func (c *Context) Len() int { return len(c.Data()) }

// AdjustHead moves the start of the packet by delta bytes: a negative delta
// makes room for a header, a positive one removes bytes. Pointers into the
// packet are invalid afterwards.
//
//bpf:helper xdp_adjust_head(c, delta)
func (c *Context) AdjustHead(delta int) bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "xdp.Context.AdjustHead").AdjustHead(delta))
}

// AdjustTail moves the end of the packet by delta bytes. Bytes that it adds are
// zero. Pointers into the packet are invalid afterwards.
//
//bpf:helper xdp_adjust_tail(c, delta)
func (c *Context) AdjustTail(delta int) bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "xdp.Context.AdjustTail").AdjustTail(delta))
}
