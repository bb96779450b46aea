package sk

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// Keep is what a socket filter returns: how many bytes of the packet the socket
// gets; 0 drops it.
type Keep int32

// The usual answers of a socket filter.
const (
	KeepNone Keep = 0
	KeepAll  Keep = -1
)

// BPFContext marks FilterContext as a bpf.Context.
func (*FilterContext) BPFContext() {}

// LoadBytes copies len(dst) bytes of the packet at off into dst.
//
//bpf:helper skb_load_bytes(c, off, dst.ptr, dst.len)
func (c *FilterContext) LoadBytes(off int, dst []byte) bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "sk.FilterContext.LoadBytes").Load(off, dst))
}

// Load copies a T at off out of the packet into *v, whether Data reaches it or
// not. EFAULT if the packet is too short.
//
//bpf:helper skb_load_bytes(c, off, v, sizeof(T))
func Load[C *FilterContext | *SkbContext, T any](c C, off int, v *T) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "sk.Load")
	return bpf.Errno(p.Load(off, sim.Memory(v)))
}

// Start is what an offset counts from.
type Start uint32

// The starts of LoadBytesRelative.
const (
	FromMAC     Start = 0 // the link layer header
	FromNetwork Start = 1 // the network header
)

// LoadBytesRelative copies len(dst) bytes at off from a header's start into dst.
//
//bpf:helper skb_load_bytes_relative(c, off, dst.ptr, dst.len, start)
func (c *FilterContext) LoadBytesRelative(off int, dst []byte, start Start) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "sk.FilterContext.LoadBytesRelative")
	if start == FromNetwork {
		off += sim.EthernetLen
	}
	return bpf.Errno(p.Load(off, dst))
}
