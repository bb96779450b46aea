package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// This file watches the enrolled sockets from outside, by their addresses.

// at returns the connection that a socket is an end of, nil if it is none.
func at(sock uint64) (*Conn, *End) {
	e := Addresses.Lookup(sock)
	if e == nil {
		return nil, nil
	}
	c := Conns.Lookup(e.Slot)
	if c == nil || c.ID != e.ID {
		return nil, nil
	}
	return c, e
}

// spliceArgs is the context of the tracepoint syscalls/sys_enter_splice.
type spliceArgs struct {
	trace.Common
	Nr     int64
	FDIn   int64
	OffIn  uint64
	FDOut  int64
	OffOut uint64
	Len    uint64
	Flags  uint64
}

// Splice sees a process call splice(2). If that is to read from an enrolled socket,
// what is sent there has to go through TCP from now on.
//
//bpf:tracepoint syscalls/sys_enter_splice
func Splice(ctx *spliceArgs) int32 {
	c, e := at(socketAt(ctx.FDIn))
	if c == nil {
		return 0
	}
	me := e.Side & 1
	if bpf.AtomicExchange(&c.Direction[me^1].Veto, Splices) == Splices {
		return 0
	}
	bpf.AtomicExchange(&c.Leaving, 1)
	s := Sighting{Program: running(), PID: process(), Event: Spliced, ID: e.ID, Slot: e.Slot}
	if c.inMap(me) && !empty(c.Queue[me]) {
		s.Event = SplicedTooLate
	}
	report(s)
	return 0
}

// Close forgets a connection when both ends are closed. A callback of the sockets would
// tell, too, but other sockops programs may turn it off.
//
//bpf:raw_tracepoint inet_sock_set_state
func Close(ctx *trace.RawContext) int32 {
	const sock, state = 0, 2 // TP_PROTO in include/trace/events/sock.h
	if sk.State(ctx.Args[state]) != sk.Closed {
		return 0
	}
	c, e := at(ctx.Args[sock])
	if c == nil {
		return 0
	}
	slot, me := e.Slot, e.Side&1
	if !Addresses.Delete(ctx.Args[sock]).Ok() {
		return 0
	}
	c.Sock[me] = 0
	if bpf.AtomicAdd(&c.Open, ^uint32(0)) > 1 {
		return 0
	}
	fold(&c.Direction[Client])
	fold(&c.Direction[Server])
	bpf.AtomicAdd(&Total.Closed, 1)
	c.ID = 0
	Free.Push(slot, bpf.Any)
	return 0
}

func fold(d *Direction) {
	bpf.AtomicAdd(&Total.Messages, d.Messages)
	bpf.AtomicAdd(&Total.Bytes, d.Bytes)
	bpf.AtomicAdd(&Total.PassedMessages, d.PassedMessages)
	bpf.AtomicAdd(&Total.PassedBytes, d.PassedBytes)
	if d.Way < NumWays {
		bpf.AtomicAdd(&Total.Ways[d.Way], 1)
	}
	if d.MaxUnread > Total.MaxUnread {
		Total.MaxUnread = d.MaxUnread
	}
}
