// Package cgroupguard keeps the processes of a cgroup from connecting to one port
// and from making raw sockets, and reports what it refused.
package cgroupguard

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// BlockedPort is the port that nobody may connect to, in host byte order. Settable
// before load.
//
//bpf:const
var BlockedPort uint16 = 25

// sockRaw is SOCK_RAW.
const sockRaw = 3

// Action is what was refused.
type Action uint32

// The actions.
const (
	Connect Action = iota
	RawSocket
)

// Event is one refusal.
type Event struct {
	Action Action
	PID    uint32
	Addr   packet.Addr
	Port   uint16
	_      [6]byte
	Comm   [16]byte
}

// Events carries the refusals.
var Events = bpf.RingBuf[Event]{MaxEntries: 64 << 10}

// Connect4 guards connections over IPv4.
//
//bpf:cgroup/connect4
func Connect4(ctx *cgroup.SockAddrContext) cgroup.Verdict {
	return connect(ctx, packet.AddrFrom4(ctx.UserIP4))
}

// Connect6 guards connections over IPv6.
//
//bpf:cgroup/connect6
func Connect6(ctx *cgroup.SockAddrContext) cgroup.Verdict {
	return connect(ctx, packet.AddrFromWords(ctx.UserIP6))
}

// Create guards the making of sockets.
//
//bpf:cgroup/sock_create
func Create(ctx *cgroup.SockContext) cgroup.Verdict {
	if ctx.Type != sockRaw || ctx.Family != sk.AFInet && ctx.Family != sk.AFInet6 {
		return cgroup.Allow
	}
	report(RawSocket, packet.Addr{}, 0)
	return cgroup.Deny
}

func connect(ctx *cgroup.SockAddrContext, to packet.Addr) cgroup.Verdict {
	if ctx.Port() != BlockedPort {
		return cgroup.Allow
	}
	report(Connect, to, ctx.Port())
	return cgroup.Deny
}

func report(a Action, to packet.Addr, port uint16) {
	e := Events.Reserve()
	if e == nil {
		return
	}
	*e = Event{Action: a, PID: bpf.CurrentPID(), Addr: to, Port: port}
	bpf.GetCurrentComm(&e.Comm)
	Events.Submit(e)
}
