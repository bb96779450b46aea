package tc

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// BPFContext marks Context as a bpf.Context.
func (*Context) BPFContext() {}

// Data returns the part of the packet that is reachable directly, starting at
// the Ethernet header on interfaces that have one. It is at least the headers;
// Pull brings more within reach, and LoadBytes reads any of it.
//
//bpf:intrinsic packet.data data dataEnd
func (c *Context) Data() packet.Bytes {
	return sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.Data").Data()
}

// Meta returns the metadata that an XDP program put before the packet.
//
//bpf:intrinsic packet.data dataMeta data
func (c *Context) Meta() packet.Bytes {
	return sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.Meta").Meta()
}

// EtherType returns the Ethernet type of the packet: packet.TypeIPv4 and so on.
func (c *Context) EtherType() bpf.BE16 { return bpf.BE16(c.Protocol) }

// Pull makes the first n bytes of the packet reachable by Data, all if n is 0.
// Pointers into the packet are invalid afterwards.
//
//bpf:helper skb_pull_data(c, n)
func (c *Context) Pull(n uint32) bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.Pull").Pull(int(n)))
}

// LoadBytes copies len(dst) bytes of the packet at off into dst, whether Data
// reaches them or not. EFAULT if the packet is too short.
//
//bpf:helper skb_load_bytes(c, off, dst.ptr, dst.len)
func (c *Context) LoadBytes(off int, dst []byte) bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.LoadBytes").Load(off, dst))
}

// StoreFlag controls StoreBytes; BPF_F_* in include/uapi/linux/bpf.h.
type StoreFlag uint64

// The flags of StoreBytes.
const (
	RecomputeCsum  StoreFlag = 1 << 0 // adjust the checksum that the hardware computed
	InvalidateHash StoreFlag = 1 << 1 // forget the flow hash
)

// StoreBytes copies src into the packet at off. Pointers into the packet are
// invalid afterwards.
//
//bpf:helper skb_store_bytes(c, off, src.ptr, src.len, flags)
func (c *Context) StoreBytes(off int, src []byte, flags StoreFlag) bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.StoreBytes").Store(off, src))
}

// Load copies a T at off out of the packet, whether Data reaches it or not.
// EFAULT if the packet is too short.
//
//bpf:helper skb_load_bytes(c, off, v, sizeof(T))
func Load[T any](c *Context, off int, v *T) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Load")
	return bpf.Errno(p.Load(off, sim.Memory(v)))
}

// Store copies *v into the packet at off. Pointers into the packet are invalid
// afterwards.
//
//bpf:helper skb_store_bytes(c, off, v, sizeof(T), flags)
func Store[T any](c *Context, off int, v *T, flags StoreFlag) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Store")
	return bpf.Errno(p.Store(off, sim.BytesOf(v)))
}

// CsumFlag controls L3CsumReplace and L4CsumReplace: the size of the field that
// changes, or'ed with flags; BPF_F_* in include/uapi/linux/bpf.h.
type CsumFlag uint64

// The sizes and flags of checksum updates.
const (
	CsumDiff   CsumFlag = 0      // to is a difference from bpf.CsumDiff
	CsumSize2  CsumFlag = 2      // from and to are 16 bits wide
	CsumSize4  CsumFlag = 4      // from and to are 32 bits wide
	PseudoHdr  CsumFlag = 1 << 4 // the field is part of the pseudo header
	Mangled0   CsumFlag = 1 << 5 // 0 means no checksum, as in UDP
	MangleZero CsumFlag = 1 << 6 // with Mangled0: update a checksum of 0 too
)

// L3CsumReplace updates the IPv4 header checksum at off for a field that changes
// from one value to another, both as they lie in the packet. Pointers into the
// packet are invalid afterwards.
//
//bpf:helper l3_csum_replace(c, off, from, to, flags)
func (c *Context) L3CsumReplace(off int, from, to uint64, flags CsumFlag) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.L3CsumReplace")
	return bpf.Errno(p.CsumReplace(off, from, to, uint64(flags)))
}

// L4CsumReplace updates the TCP, UDP or ICMP checksum at off for a field that
// changes from one value to another, both as they lie in the packet. Pointers
// into the packet are invalid afterwards.
//
//bpf:helper l4_csum_replace(c, off, from, to, flags)
func (c *Context) L4CsumReplace(off int, from, to uint64, flags CsumFlag) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "tc.Context.L4CsumReplace")
	return bpf.Errno(p.CsumReplace(off, from, to, uint64(flags)))
}

// HashRecalc returns the packet's flow hash, computing it if need be.
//
//bpf:helper get_hash_recalc(c)
func (c *Context) HashRecalc() uint32 {
	sim.Current("tc.Context.HashRecalc")
	return c.Hash
}

// SocketCookie returns a number that identifies the packet's socket as long as
// the machine runs; 0 if there is none.
//
//bpf:helper get_socket_cookie(c)
func (c *Context) SocketCookie() uint64 {
	return sim.Current("tc.Context.SocketCookie").Cookie(unsafe.Pointer(c))
}
