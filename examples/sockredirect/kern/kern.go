// Package kern is the kernel half of sockredirect: between processes of one
// machine, what one end of a TCP connection sends goes straight into the receive
// queue of the other, past TCP, IP and the loopback device.
//
// This is the well-known demonstration of the idea, and no more: a sender that
// is faster than its reader fills the kernel's memory, because nothing slows it
// down.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// End is one end of a connection, as its owner sees it.
type End struct {
	Local, Remote         packet.Addr
	LocalPort, RemotePort uint32
}

// Ends holds the sockets of the group's connections.
var Ends = bpf.SockHash[End]{MaxEntries: 65536}

// Stats counts what was sent through sockets in Ends.
type Stats struct {
	Redirected uint64 // messages handed to the other end
	Passed     uint64 // messages that went through TCP: the other end is elsewhere
	Bytes      uint64 // of the messages redirected
}

// Total counts since the start.
var Total Stats

// Enrol puts both ends of new connections into Ends.
//
//bpf:sockops
func Enrol(ctx *sk.OpsContext) sk.Reply {
	if ctx.Op == sk.ActiveEstablished || ctx.Op == sk.PassiveEstablished {
		own := End{
			Local: ctx.Local(), LocalPort: ctx.LocalPort,
			Remote: ctx.Remote(), RemotePort: ctx.RemotePort.Host(),
		}
		sk.UpdateHash(ctx, &Ends, own, bpf.Any)
	}
	return sk.KeepReply
}

// Redirect runs for every message sent through a socket in Ends.
//
//bpf:sk_msg
func Redirect(ctx *sk.MsgContext) sk.Verdict {
	other := End{
		Local: ctx.Remote(), LocalPort: ctx.RemotePort.Host(),
		Remote: ctx.Local(), RemotePort: ctx.LocalPort,
	}
	if sk.RedirectMsg(ctx, &Ends, other, sk.Ingress) != sk.Pass {
		bpf.AtomicAdd(&Total.Passed, 1)
		return sk.Pass
	}
	bpf.AtomicAdd(&Total.Redirected, 1)
	bpf.AtomicAdd(&Total.Bytes, uint64(ctx.Size))
	return sk.Pass
}
