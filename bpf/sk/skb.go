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
