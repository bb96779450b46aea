package xdp

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// BPFContext marks Context as a bpf.Context.
func (*Context) BPFContext() {}

// Data returns the packet, starting at the Ethernet header: all of it, unless it
// lies in several buffers; see BufLen.
//
//bpf:intrinsic packet.data data dataEnd
func (c *Context) Data() packet.Bytes {
	return sim.State[*sim.Packet](unsafe.Pointer(c), "xdp.Context.Data").Data()
}

// Meta returns the metadata before the packet, which AdjustMeta makes room for.
// Programs behind this one can read it, tc programs included.
//
//bpf:intrinsic packet.data dataMeta data
func (c *Context) Meta() packet.Bytes {
	return sim.State[*sim.Packet](unsafe.Pointer(c), "xdp.Context.Meta").Meta()
}

// Len returns the length of what Data returns.
func (c *Context) Len() int { return len(c.Data()) }

// BufLen returns the length of the packet in all its buffers. Needs Linux 5.18.
//
//bpf:helper xdp_get_buff_len(c)
func (c *Context) BufLen() uint64 {
	return uint64(sim.State[*sim.Packet](unsafe.Pointer(c), "xdp.Context.BufLen").Len())
}

// LoadBytes copies len(dst) bytes of the packet at off into dst, whether Data
// reaches them or not. Needs Linux 5.18.
//
//bpf:helper xdp_load_bytes(c, off, dst.ptr, dst.len)
func (c *Context) LoadBytes(off int, dst []byte) bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "xdp.Context.LoadBytes").Load(off, dst))
}

// StoreBytes copies src into the packet at off, whether Data reaches there or
// not. Needs Linux 5.18.
//
//bpf:helper xdp_store_bytes(c, off, src.ptr, src.len)
func (c *Context) StoreBytes(off int, src []byte) bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "xdp.Context.StoreBytes").Store(off, src))
}

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

// AdjustMeta moves the start of the metadata before the packet by delta bytes: a
// negative delta, a multiple of 4, makes room. Pointers into the packet are
// invalid afterwards.
//
//bpf:helper xdp_adjust_meta(c, delta)
func (c *Context) AdjustMeta(delta int) bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "xdp.Context.AdjustMeta").AdjustMeta(delta))
}
