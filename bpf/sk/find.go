package sk

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// Tuple4 names an IPv4 connection as the packet at hand does: Src is the peer.
type Tuple4 struct {
	Src, Dst         bpf.BE32
	SrcPort, DstPort bpf.BE16
}

// Tuple6 names an IPv6 connection as the packet at hand does: Src is the peer.
type Tuple6 struct {
	Src, Dst         [4]bpf.BE32
	SrcPort, DstPort bpf.BE16
}

// Tuple is the set of names of connections: struct bpf_sock_tuple of
// include/uapi/linux/bpf.h.
type Tuple interface{ Tuple4 | Tuple6 }

// FindTCP returns the TCP socket that a packet belongs to, in the network
// namespace of the program's context, or a listening socket for it; nil if there
// is none. The result must be given back with Release. Needs Linux 4.20.
//
//bpf:helper sk_lookup_tcp(ctx, tuple, sizeof(T), -1, 0)
func FindTCP[T Tuple](ctx bpf.Context, tuple *T) *Sock {
	return (*Sock)(sim.Current("sk.FindTCP").Socket("tcp", sim.BytesOf(tuple)))
}

// FindAnyTCP is FindTCP for sockets that may be less than full: it tells a
// connection in TimeWait from none, and a connection request from its listening
// socket. TCP and Full say whether there is more to know; until then only the
// addresses, the ports, Family and State of the result can be read. The result
// must be given back with Release. Needs Linux 5.2.
//
//bpf:helper skc_lookup_tcp(ctx, tuple, sizeof(T), -1, 0)
func FindAnyTCP[T Tuple](ctx bpf.Context, tuple *T) *Sock {
	return (*Sock)(sim.Current("sk.FindAnyTCP").Socket("tcp", sim.BytesOf(tuple)))
}

// FindUDP returns the UDP socket that a packet belongs to; nil if there is none.
// The result must be given back with Release. Needs Linux 4.20.
//
//bpf:helper sk_lookup_udp(ctx, tuple, sizeof(T), -1, 0)
func FindUDP[T Tuple](ctx bpf.Context, tuple *T) *Sock {
	return (*Sock)(sim.Current("sk.FindUDP").Socket("udp", sim.BytesOf(tuple)))
}
