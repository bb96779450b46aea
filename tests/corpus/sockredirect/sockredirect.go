// Package sockredirect joins the two ends of local TCP connections: what one
// end sends goes straight into the receive queue of the other. It is the
// demonstration of the idea, without the care that real traffic needs.
package sockredirect

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// Conn is one direction of an IPv4 connection. Ports are in host byte order.
type Conn struct {
	SrcIP, DstIP     bpf.BE32
	SrcPort, DstPort uint32
}

// Peers holds each socket under the direction in which it sends.
var Peers = bpf.SockHash[Conn]{MaxEntries: 65535}

// Redirected counts messages that took the short cut.
var Redirected uint64

// Enrol remembers the sockets of new connections.
//
//bpf:sockops
func Enrol(ctx *sk.OpsContext) sk.Reply {
	switch ctx.Op {
	case sk.ActiveEstablished, sk.PassiveEstablished:
		if ctx.Family != sk.AFInet {
			break
		}
		c := Conn{
			SrcIP: ctx.LocalIP4, DstIP: ctx.RemoteIP4,
			SrcPort: ctx.LocalPort, DstPort: ctx.RemotePort.Host(),
		}
		sk.UpdateHash(ctx, &Peers, c, bpf.NoExist)
	}
	return sk.KeepReply
}

// Redirect passes a message to the other end. A message whose other end is not
// local takes the usual way.
//
//bpf:sk_msg
func Redirect(ctx *sk.MsgContext) sk.Verdict {
	if ctx.Family != sk.AFInet {
		return sk.Pass
	}
	other := Conn{
		SrcIP: ctx.RemoteIP4, DstIP: ctx.LocalIP4,
		SrcPort: ctx.RemotePort.Host(), DstPort: ctx.LocalPort,
	}
	if sk.RedirectMsg(ctx, &Peers, other, sk.Ingress) == sk.Pass {
		bpf.AtomicAdd(&Redirected, 1)
	}
	return sk.Pass
}
