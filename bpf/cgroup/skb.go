package cgroup

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// BPFContext marks SkbContext as a bpf.Context.
func (*SkbContext) BPFContext() {}

// Data returns the part of the packet that is reachable directly, starting at
// the IP header: read it with packet.ParseIP.
//
//bpf:intrinsic packet.data data dataEnd
func (c *SkbContext) Data() packet.Bytes {
	return sim.State[*sim.Packet](unsafe.Pointer(c), "cgroup.SkbContext.Data").Data()
}

// LoadBytes copies len(dst) bytes of the packet at off into dst, whether Data
// reaches them or not.
//
//bpf:helper skb_load_bytes(c, off, dst.ptr, dst.len)
func (c *SkbContext) LoadBytes(off int, dst []byte) bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "cgroup.SkbContext.LoadBytes").Load(off, dst))
}

// EtherType returns the Ethernet type of the packet: packet.TypeIPv4 and so on.
func (c *SkbContext) EtherType() bpf.BE16 { return bpf.BE16(c.Protocol) }

// CgroupID returns the ID of the cgroup of the packet's socket.
//
//bpf:helper skb_cgroup_id(c)
func (c *SkbContext) CgroupID() uint64 {
	return sim.Current("cgroup.SkbContext.CgroupID").Task.CgroupID
}

// SocketCookie returns a number that identifies the packet's socket as long as
// the machine runs; 0 if there is none.
//
//bpf:helper get_socket_cookie(c)
func (c *SkbContext) SocketCookie() uint64 {
	return sim.Current("cgroup.SkbContext.SocketCookie").Cookie(unsafe.Pointer(c))
}
