package sk

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// AssignFlag controls Assign; BPF_SK_LOOKUP_F_* in include/uapi/linux/bpf.h.
type AssignFlag uint64

// The flags of Assign.
const (
	Replace     AssignFlag = 1 << 0 // replace a socket selected before
	NoReuseport AssignFlag = 1 << 1 // don't pick another socket of the same reuseport group
)

// BPFContext marks LookupContext as a bpf.Context.
func (*LookupContext) BPFContext() {}

// Assign selects s for the packet or connection; nil takes a selection back.
//
//bpf:helper sk_assign(c, s, flags)
func (c *LookupContext) Assign(s *Sock, flags AssignFlag) bpf.Errno {
	sim.Current("sk.LookupContext.Assign")
	if c.Sk != nil && flags&Replace == 0 {
		return bpf.EEXIST
	}
	c.Sk = s
	return bpf.OK
}

// SocketIn returns the socket at index of m, nil if there is none. Give it to
// Assign, then Release it.
//
//bpf:helper map_lookup_elem(m, &index)
func (c *LookupContext) SocketIn(m *bpf.SockMap, index uint32) *Sock {
	s := sim.Open[uint32](unsafe.Pointer(m), "sk.LookupContext.SocketIn", sim.Refs, m.MaxEntries)
	sock, _ := s.Ref(sim.IndexKey(index)).(*Sock)
	return sock
}

// Remote returns the peer's address.
func (c *LookupContext) Remote() packet.Addr {
	if c.Family == AFInet {
		return packet.AddrFrom4(c.RemoteIP4)
	}
	return packet.AddrFromWords(c.RemoteIP6)
}

// Local returns the own address.
func (c *LookupContext) Local() packet.Addr {
	if c.Family == AFInet {
		return packet.AddrFrom4(c.LocalIP4)
	}
	return packet.AddrFromWords(c.LocalIP6)
}
