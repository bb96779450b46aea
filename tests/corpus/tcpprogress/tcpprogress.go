// Package tcpprogress writes down how far the TCP connections of a machine have
// got: what the sockets expect and what they still wait for, as of their last
// packet in either direction.
package tcpprogress

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Conn names a connection as its socket does.
type Conn struct {
	Remote, Local         packet.Addr
	RemotePort, LocalPort uint16
}

// Progress is the state of a socket. The lock keeps its fields of one moment: both
// directions write it.
type Progress struct {
	lock          bpf.SpinLock
	RcvNxt        uint32 // expected next
	SndUna        uint32 // sent and not acknowledged
	SndNxt        uint32 // to be sent next
	Received      uint64 // bytes
	Acked         uint64 // bytes
	Packets, Ours uint32 // of both directions, and those that left
}

// Conns holds the connections.
var Conns = bpf.Hash[Conn, Progress]{MaxEntries: 4096}

// Missed counts packets of connections that have no room in Conns.
var Missed uint64

// Partial counts packets for sockets without such a state: for requests, whose
// last packet of the handshake is on its way, and for those in time-wait.
var Partial uint64

// In looks at a packet that arrives: its socket has not seen it yet.
//
//bpf:tc
func In(ctx *tc.Context) tc.Action {
	p := packet.Parse(ctx.Data())
	if p.TCP == nil {
		return tc.Next
	}
	s := find(ctx, &p)
	if s == nil {
		return tc.Next
	}
	note(Conn{Remote: p.Src(), Local: p.Dst(), RemotePort: p.SrcPort(), LocalPort: p.DstPort()}, s, 0)
	s.Release()
	return tc.Next
}

// find returns the socket that p is for.
func find(ctx *tc.Context, p *packet.Packet) *sk.Sock {
	switch {
	case p.IPv4 != nil:
		return sk.FindAnyTCP(ctx, &sk.Tuple4{
			Src: p.IPv4.SrcIP, Dst: p.IPv4.DstIP, SrcPort: p.TCP.SrcPort, DstPort: p.TCP.DstPort,
		})
	case p.IPv6 != nil:
		return sk.FindAnyTCP(ctx, &sk.Tuple6{
			Src: p.IPv6.SrcIP.Words(), Dst: p.IPv6.DstIP.Words(), SrcPort: p.TCP.SrcPort, DstPort: p.TCP.DstPort,
		})
	}
	return nil
}

// Out looks at a packet that leaves: it knows its socket.
//
//bpf:tc
func Out(ctx *tc.Context) tc.Action {
	s := ctx.Sk
	if s == nil {
		return tc.Next
	}
	p := packet.Parse(ctx.Data())
	if p.TCP == nil {
		return tc.Next
	}
	note(Conn{Remote: p.Dst(), Local: p.Src(), RemotePort: p.DstPort(), LocalPort: p.SrcPort()}, s, 1)
	return tc.Next
}

// note writes down the state of connection c with socket s.
func note(c Conn, s *sk.Sock, ours uint32) {
	if s.State == sk.Listening {
		return
	}
	t := s.TCP()
	if t == nil {
		bpf.AtomicAdd(&Partial, 1)
		return
	}
	p := Conns.Lookup(c)
	if p == nil {
		Conns.Update(c, Progress{}, bpf.NoExist)
		p = Conns.Lookup(c)
		if p == nil {
			bpf.AtomicAdd(&Missed, 1)
			return
		}
	}
	p.lock.Lock()
	p.RcvNxt, p.SndUna, p.SndNxt = t.RcvNxt, t.SndUna, t.SndNxt
	p.Received, p.Acked = t.BytesReceived, t.BytesAcked
	p.Packets++
	p.Ours += ours
	p.lock.Unlock()
}
