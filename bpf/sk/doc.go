// Package sk is for programs on sockets: events of TCP connections (sockops),
// messages that processes send (sk_msg), what sockets receive (sk_skb), choosing
// the socket for a connection (sk_lookup), and socket filters.
//
//	// Peers holds sockets by their connection.
//	var Peers = bpf.SockHash[Conn]{MaxEntries: 65536}
//
//	//bpf:sockops
//	func Enrol(ctx *sk.OpsContext) sk.Reply {
//		if ctx.Op == sk.PassiveEstablished {
//			sk.UpdateHash(ctx, &Peers, connOf(ctx), bpf.NoExist)
//		}
//		return 0
//	}
//
// A program that faults lets data through: sk_msg, verdict and sk_lookup
// programs return Pass, a parser asks for more data, a filter keeps the packet.
package sk

import "github.com/waggle-bpf/waggle/bpf"

// Sock is a socket, as programs see it.
type Sock = bpf.Sock

// TCPSock is the state of a TCP socket.
type TCPSock = bpf.TCPSock

// State is the TCP state of a socket.
type State = bpf.SockState

// The TCP states; BPF_TCP_* in include/uapi/linux/bpf.h.
const (
	Established State = 1 + iota
	SynSent
	SynRecv
	FinWait1
	FinWait2
	TimeWait
	Closed
	CloseWait
	LastAck
	Listening
	Closing
	NewSynRecv
)

// Address families.
const (
	AFInet  = 2
	AFInet6 = 10
)

// Verdict is what sk_msg, sk_skb and sk_lookup programs return.
type Verdict int32

// The verdicts; SK_* in include/uapi/linux/bpf.h.
const (
	Drop Verdict = 0 // drop the data, or refuse the connection
	Pass Verdict = 1 // go on, or to where a redirect helper said
)

// String names the verdict. It exists outside the kernel only.
func (v Verdict) String() string {
	switch v {
	case Drop:
		return "Drop"
	case Pass:
		return "Pass"
	}
	return "unknown verdict"
}

// RedirectFlag says where redirected data goes.
type RedirectFlag uint64

// The directions of a redirect.
const (
	Egress  RedirectFlag = 0      // send it through the socket
	Ingress RedirectFlag = 1 << 0 // into the socket's receive queue, as if it had arrived
)
