// Package tcpstates reports every change of a TCP socket's state and how long
// the state before lasted.
package tcpstates

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// Family, SrcPort and DstPort, if not 0, are all that is reported. Settable
// before load.
//
//bpf:const
var (
	Family  uint16
	SrcPort uint16
	DstPort uint16
)

// setState is the context of tracepoint sock/inet_sock_set_state.
type setState struct {
	trace.Common
	Sock     uint64
	Old, New sk.State
	SrcPort  uint16
	DstPort  uint16
	Family   uint16
	Protocol uint16
	SrcIP4   bpf.BE32
	DstIP4   bpf.BE32
	SrcIP6   packet.Addr // an IPv4 address is mapped
	DstIP6   packet.Addr
}

// Event is one change of state.
type Event struct {
	Sock     uint64 // identifies the socket
	Time     uint64 // ns since boot
	InState  uint64 // ns that the old state lasted, 0 if not known
	PID      uint32 // of the task at hand, which need not be the socket's
	Old, New sk.State
	SrcPort  uint16
	DstPort  uint16
	Family   uint16
	_        [2]byte
	Src, Dst packet.Addr
	Comm     [16]byte
}

// Since holds when each socket entered its state.
var Since = bpf.Hash[uint64, uint64]{MaxEntries: 10240}

// Events carries the changes to user space.
var Events bpf.PerfEventArray[Event]

// SetState sees a change of state.
//
//bpf:tracepoint sock/inet_sock_set_state
func SetState(ctx *setState) int32 {
	if packet.Proto(ctx.Protocol) != packet.ProtoTCP || !wanted(ctx) {
		return 0
	}
	now := bpf.KtimeGetNS()
	e := Event{
		Sock: ctx.Sock, Time: now,
		PID: bpf.CurrentPID(),
		Old: ctx.Old, New: ctx.New,
		SrcPort: ctx.SrcPort, DstPort: ctx.DstPort,
		Family: ctx.Family,
		Src:    ctx.SrcIP6, Dst: ctx.DstIP6,
	}
	if since := Since.Lookup(ctx.Sock); since != nil {
		e.InState = now - *since
	}
	bpf.GetCurrentComm(&e.Comm)
	Events.Output(ctx, &e)
	if ctx.New == sk.Closed {
		Since.Delete(ctx.Sock)
	} else {
		Since.Update(ctx.Sock, now, bpf.Any)
	}
	return 0
}

func wanted(ctx *setState) bool {
	return (Family == 0 || ctx.Family == Family) &&
		(SrcPort == 0 || ctx.SrcPort == SrcPort) &&
		(DstPort == 0 || ctx.DstPort == DstPort)
}
