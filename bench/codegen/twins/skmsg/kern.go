// Package skmsg hands messages between sockets of one machine to the other end.
package skmsg

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// End is one end of an IPv4 connection, as its owner sees it.
type End struct {
	Local, Remote         bpf.BE32
	LocalPort, RemotePort uint32
}

// Ends holds sockets.
var Ends = bpf.SockHash[End]{MaxEntries: 1024}

// Bytes counts what was redirected.
var Bytes uint64

//bpf:sk_msg
func Prog(ctx *sk.MsgContext) sk.Verdict {
	other := End{
		Local: ctx.RemoteIP4, LocalPort: ctx.RemotePort.Host(),
		Remote: ctx.LocalIP4, RemotePort: ctx.LocalPort,
	}
	if sk.RedirectMsg(ctx, &Ends, other, sk.Ingress) == sk.Pass {
		bpf.AtomicAdd(&Bytes, uint64(ctx.Size))
	}
	return sk.Pass
}
