package sk

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// BPFContext marks MsgContext as a bpf.Context.
func (*MsgContext) BPFContext() {}

// Data returns the start of the message: the first page or so, or nothing. Pull
// brings more within reach.
//
//bpf:intrinsic packet.data data dataEnd
func (c *MsgContext) Data() packet.Bytes {
	return sim.State[*sim.Packet](unsafe.Pointer(c), "sk.MsgContext.Data").Data()
}

// Pull makes the bytes from start up to end of the message reachable by Data.
// Pointers into the message are invalid afterwards.
//
//bpf:helper msg_pull_data(c, start, end, 0)
func (c *MsgContext) Pull(start, end uint32) bpf.Errno {
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "sk.MsgContext.Pull")
	return bpf.Errno(p.PullRange(int(start), int(end)))
}

// Apply makes the verdict count for the next n bytes, whatever messages they
// come in.
//
//bpf:helper msg_apply_bytes(c, n)
func (c *MsgContext) Apply(n uint32) bpf.Errno {
	sim.State[*sim.Packet](unsafe.Pointer(c), "sk.MsgContext.Apply").Apply = n
	return bpf.OK
}

// Cork holds the data back until n bytes are there.
//
//bpf:helper msg_cork_bytes(c, n)
func (c *MsgContext) Cork(n uint32) bpf.Errno {
	sim.State[*sim.Packet](unsafe.Pointer(c), "sk.MsgContext.Cork").Cork = n
	return bpf.OK
}

// Redirect sends the message to the socket at index of m instead. It returns
// Pass, or Drop if there is no such socket.
//
//bpf:helper msg_redirect_map(c, m, index, flags)
func (c *MsgContext) Redirect(m *bpf.SockMap, index uint32, flags RedirectFlag) Verdict {
	s := sim.Open[uint32](unsafe.Pointer(m), "sk.MsgContext.Redirect", sim.Refs, m.MaxEntries)
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "sk.MsgContext.Redirect")
	return Verdict(p.RedirectTo("msg_redirect_map", s.Ref(sim.IndexKey(index)), uint64(flags)))
}

// RedirectMsg sends the message to the socket of key in m instead. It returns
// Pass, or Drop if there is no such socket.
//
//bpf:helper msg_redirect_hash(c, m, &key, flags)
func RedirectMsg[K comparable](c *MsgContext, m *bpf.SockHash[K], key K, flags RedirectFlag) Verdict {
	s := sim.Open[uint32](unsafe.Pointer(m), "sk.RedirectMsg", sim.Refs, m.MaxEntries)
	p := sim.State[*sim.Packet](unsafe.Pointer(c), "sk.RedirectMsg")
	return Verdict(p.RedirectTo("msg_redirect_hash", s.Ref(sim.BytesOf(&key)), uint64(flags)))
}

// Remote returns the peer's address.
func (c *MsgContext) Remote() packet.Addr {
	if c.Family == AFInet {
		return packet.AddrFrom4(c.RemoteIP4)
	}
	return packet.AddrFromWords(c.RemoteIP6)
}

// Local returns the own address.
func (c *MsgContext) Local() packet.Addr {
	if c.Family == AFInet {
		return packet.AddrFrom4(c.LocalIP4)
	}
	return packet.AddrFromWords(c.LocalIP6)
}
