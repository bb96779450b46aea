package sk

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// BPFContext marks SkbContext as a bpf.Context.
func (*SkbContext) BPFContext() {}

// Data returns the part of the data that is reachable directly; Pull brings more
// within reach.
//
//bpf:intrinsic packet.data data dataEnd
func (c *SkbContext) Data() packet.Bytes {
	return sim.State[*sim.Packet](unsafe.Pointer(c), "sk.SkbContext.Data").Data()
}

// Pull makes the first n bytes reachable by Data. Pointers into the data are
// invalid afterwards.
//
//bpf:helper skb_pull_data(c, n)
func (c *SkbContext) Pull(n uint32) bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "sk.SkbContext.Pull").Pull(int(n)))
}

// LoadBytes copies len(dst) bytes at off into dst, whether Data reaches them or
// not.
//
//bpf:helper skb_load_bytes(c, off, dst.ptr, dst.len)
func (c *SkbContext) LoadBytes(off int, dst []byte) bpf.Errno {
	return bpf.Errno(sim.State[*sim.Packet](unsafe.Pointer(c), "sk.SkbContext.LoadBytes").Load(off, dst))
}

// AdjustRoom makes delta zero bytes of room in front of the data, or, if delta is
// negative, takes so many bytes away there: up to 4095, either way. Pointers into
// the data are invalid afterwards. Needs Linux 5.10.
//
//bpf:helper skb_adjust_room(c, delta, 0, 0)
func (c *SkbContext) AdjustRoom(delta int32) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "sk.SkbContext.AdjustRoom")
	switch remove := int(-delta); {
	case max(remove, -remove) > 4095:
		return bpf.EFAULT
	case remove > p.Len():
		return bpf.ENOMEM
	default:
		p.Resize(0, max(remove, 0), max(-remove, 0))
	}
	c.Len = uint32(p.Len())
	return bpf.OK
}

// SocketCookie returns a number that identifies the socket as long as the machine
// runs.
//
//bpf:helper get_socket_cookie(c)
func (c *SkbContext) SocketCookie() uint64 {
	return sim.Current("sk.SkbContext.SocketCookie").Cookie(unsafe.Pointer(c))
}

// Redirect sends the data to the socket at index of m. It returns Pass, or Drop
// if there is no such socket.
//
//bpf:helper sk_redirect_map(c, m, index, flags)
func (c *SkbContext) Redirect(m *bpf.SockMap, index uint32, flags RedirectFlag) Verdict {
	s := sim.Open[uint32](unsafe.Pointer(m), "sk.SkbContext.Redirect", sim.Refs, m.MaxEntries)
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "sk.SkbContext.Redirect")
	return Verdict(p.RedirectTo("sk_redirect_map", s.Ref(sim.IndexKey(index)), uint64(flags)))
}

// RedirectSkb sends the data to the socket of key in m. It returns Pass, or Drop
// if there is no such socket.
//
//bpf:helper sk_redirect_hash(c, m, &key, flags)
func RedirectSkb[K comparable](c *SkbContext, m *bpf.SockHash[K], key K, flags RedirectFlag) Verdict {
	s := sim.Open[uint32](unsafe.Pointer(m), "sk.RedirectSkb", sim.Refs, m.MaxEntries)
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "sk.RedirectSkb")
	return Verdict(p.RedirectTo("sk_redirect_hash", s.Ref(sim.BytesOf(&key)), uint64(flags)))
}

// Remote returns the peer's address.
func (c *SkbContext) Remote() packet.Addr {
	if c.Family == AFInet {
		return packet.AddrFrom4(c.RemoteIP4)
	}
	return packet.AddrFromWords(c.RemoteIP6)
}

// Local returns the own address.
func (c *SkbContext) Local() packet.Addr {
	if c.Family == AFInet {
		return packet.AddrFrom4(c.LocalIP4)
	}
	return packet.AddrFromWords(c.LocalIP6)
}
