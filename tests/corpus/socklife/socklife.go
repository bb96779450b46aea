// Package socklife follows the sockets of a cgroup from their creation to their
// release, and says where datagrams may go and which ports may be bound.
package socklife

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// FirstPort and LastPort are the ports that processes may bind, besides 0. Settable
// before load.
//
//bpf:const
var FirstPort, LastPort uint16 = 1024, 65535

// Phase is a step in a socket's life.
type Phase uint32

// The phases.
const (
	Created Phase = iota
	BindAsked
	Bound
	Sent
	Released
	NumPhases
)

// Counts holds how many sockets reached each phase, by CPU.
var Counts = bpf.PerCPUArray[uint64]{MaxEntries: uint32(NumPhases)}

// Refused counts what was refused, by phase.
var Refused [NumPhases]uint64

// LastPortBound is what the last socket was bound to, in host byte order.
var LastPortBound uint32

func reached(p Phase) {
	if n := Counts.Lookup(uint32(p)); n != nil {
		*n++
	}
}

func refuse(p Phase) cgroup.Verdict {
	bpf.AtomicAdd(&Refused[p], 1)
	return cgroup.Deny
}

// Create sees a new socket.
//
//bpf:cgroup/sock_create
func Create(*cgroup.SockContext) cgroup.Verdict {
	reached(Created)
	return cgroup.Allow
}

// Bind is asked before a socket is bound to an IPv4 address.
//
//bpf:cgroup/bind4
func Bind(ctx *cgroup.SockAddrContext) cgroup.Verdict {
	reached(BindAsked)
	port := ctx.Port()
	if port != 0 && (port < FirstPort || port > LastPort) {
		return refuse(BindAsked)
	}
	return cgroup.Allow
}

// PostBind is told what a socket was bound to.
//
//bpf:cgroup/post_bind4
func PostBind(ctx *cgroup.SockContext) cgroup.Verdict {
	reached(Bound)
	LastPortBound = ctx.SrcPort
	return cgroup.Allow
}

// Send is asked where a datagram may go: nowhere but to this machine.
//
//bpf:cgroup/sendmsg4
func Send(ctx *cgroup.SockAddrContext) cgroup.Verdict {
	reached(Sent)
	if ctx.UserIP4&packet.IPv4Addr(255, 0, 0, 0) != packet.IPv4Addr(127, 0, 0, 0) {
		return refuse(Sent)
	}
	return cgroup.Allow
}

// Release sees a socket closed.
//
//bpf:cgroup/sock_release
func Release(*cgroup.SockContext) cgroup.Verdict {
	reached(Released)
	return cgroup.Allow
}
