package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

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
	e := Addresses.Lookup(socketAt(ctx.FDIn))
	if e == nil {
		return 0
	}
	c := Conns.Lookup(e.Slot)
	if c == nil || c.ID != e.ID {
		return 0
	}
	me := e.Side & 1
	d := &c.Direction[me^1]
	if bpf.AtomicExchange(&d.Veto, Splices) == Splices {
		return 0
	}
	s := Sighting{Program: running(), PID: process(), Event: Spliced, ID: e.ID, Slot: e.Slot}
	if c.inMap(me) && !empty(c.Queue[me]) {
		s.Event = SplicedTooLate
	}
	report(s)
	return 0
}
