// Package kern is the kernel half of connlog: it reports every change of state
// of the TCP connections of a control group.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// Change is a socket's way from one state to another.
type Change struct {
	Local, Remote         packet.Addr
	LocalPort, RemotePort uint16
	Old, New              sk.State
}

// Changes takes the changes to user space, in their order.
var Changes = bpf.RingBuf[Change]{MaxEntries: 256 << 10}

// Watch is called for the events of every TCP socket that a process of the
// group opens. State changes are reported by those sockets only that ask for
// it, which they do at the first event of their life; the change that led there
// follows from the event.
//
//bpf:sockops
func Watch(ctx *sk.OpsContext) sk.Reply {
	switch ctx.Op {
	case sk.StateChange:
		report(ctx, ctx.OldState(), ctx.NewState())
		return sk.KeepReply
	case sk.ConnectStart:
		report(ctx, sk.Closed, sk.SynSent)
	case sk.Listen:
		report(ctx, sk.Closed, sk.Listening)
	case sk.PassiveEstablished:
		report(ctx, sk.Listening, sk.SynRecv)
	default:
		return sk.KeepReply
	}
	ctx.SetCbFlags(sk.ReportStateChange)
	return sk.KeepReply
}

func report(ctx *sk.OpsContext, from, to sk.State) {
	e := Changes.Reserve()
	if e == nil {
		return // the buffer is full: counted as lost
	}
	*e = Change{
		Local: ctx.Local(), LocalPort: uint16(ctx.LocalPort),
		Remote: ctx.Remote(), RemotePort: uint16(ctx.RemotePort.Host()),
		Old: from, New: to,
	}
	Changes.Submit(e)
}
