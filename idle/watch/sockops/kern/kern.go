// Package kern is the kernel half of the sockops watcher: it reports connections
// that the processes of a cgroup accept, once when they are established and once
// when they are over. In between it does not run, however much they move.
package kern

import (
	"sync/atomic"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// Kind says what has happened to a connection.
type Kind uint32

// The kinds.
const (
	Opened Kind = iota // a client's connection is established
	Closed             // it is over
)

// Event is what has happened to a connection.
type Event struct {
	Cookie uint64 // the connection's own number
	Time   uint64 // by the monotonic clock, in ns
	// In and Out are the bytes of payload that the client has sent and that it has
	// acknowledged.
	In, Out uint64

	Client     packet.Addr
	ClientPort uint16
	Port       uint16 // the service's
	Kind       Kind
}

// AllPorts makes every port count, not only those in Ports. Settable before load.
//
//bpf:const
var AllPorts bool

// Ports are the service's ports.
var Ports = bpf.Hash[uint16, bool]{MaxEntries: 1024}

// Events takes the events to user space. The two of a connection come in order.
var Events = bpf.RingBuf[Event]{MaxEntries: 256 << 10}

// Missed counts events that found no room. User space looks for the connections
// themselves when it has changed.
var Missed uint64

// ends is what a connection had received when its client had acknowledged our FIN
// and not sent its own.
var ends bpf.SkStorage[uint64]

// Watch is called for what happens to the TCP sockets of the cgroup. Changes of
// state are reported by those only that ask for it.
//
// Its result is 1: others' answers to the kernel's questions stay in force.
//
//bpf:sockops
func Watch(ctx *sk.OpsContext) sk.Reply {
	switch ctx.Op {
	case sk.PassiveEstablished:
		if AllPorts || Ports.Lookup(uint16(ctx.LocalPort)) != nil {
			// Others may have asked for something, too.
			ctx.SetCbFlags(sk.CbFlags(ctx.CbFlags) | sk.ReportStateChange)
			report(ctx, Opened, 0, 0)
		}
	case sk.StateChange:
		changed(ctx)
	}
	return sk.KeepReply
}

// changed looks at a change of state. The connection may be one that somebody else
// wants to hear about.
func changed(ctx *sk.OpsContext) {
	if !AllPorts && Ports.Lookup(uint16(ctx.LocalPort)) == nil {
		return
	}
	switch ctx.NewState() {
	case sk.FinWait2:
		if s := ctx.Sk; s != nil {
			if n := ends.GetOrCreate(s); n != nil {
				*n = ctx.BytesReceived
			}
		}
	case sk.Closed:
		// A connection that was made from here has been through SYN_SENT,
		// whose sockets we don't ask; a listener's end is none of a connection.
		if ctx.OldState() != sk.Listening {
			report(ctx, Closed, received(ctx), sent(ctx))
		}
	}
}

// received is how many bytes of payload a connection that ends has received: the
// kernel's counter includes the client's FIN.
func received(ctx *sk.OpsContext) uint64 {
	n := ctx.BytesReceived
	switch ctx.OldState() {
	case sk.CloseWait, sk.LastAck, sk.Closing:
		return n - 1
	case sk.FinWait2:
		// TIME_WAIT is no state of the socket itself, it ends here. If it was
		// closed before the client's FIN came, nothing has come since.
		if s := ctx.Sk; s != nil {
			if before := ends.Get(s); before != nil && *before != n {
				return n - 1
			}
		}
	}
	return n
}

// sent is how many bytes of payload the client has acknowledged: the kernel's
// counter includes our FIN.
func sent(ctx *sk.OpsContext) uint64 {
	n := ctx.BytesAcked
	switch ctx.OldState() {
	case sk.FinWait2:
		return n - 1
	case sk.LastAck, sk.Closing:
		if ctx.SndUna == ctx.SndNxt {
			return n - 1
		}
	}
	return n
}

func report(ctx *sk.OpsContext, kind Kind, in, out uint64) {
	e := Events.Reserve()
	if e == nil {
		atomic.AddUint64(&Missed, 1)
		return
	}
	*e = Event{
		Cookie: ctx.SocketCookie(),
		Time:   bpf.KtimeGetNS(),
		In:     in, Out: out,
		Client: ctx.Remote(), ClientPort: uint16(ctx.RemotePort.Host()),
		Port: uint16(ctx.LocalPort),
		Kind: kind,
	}
	Events.Submit(e)
}
