// Package syscount counts system calls by number, of all processes or of one, and
// how many fail. Raw tracepoints cost less than those with a context of their own.
package syscount

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// PID, if not 0, is the only process to count. Settable before load.
//
//bpf:const
var PID uint32

// Count is what is counted of a system call.
type Count struct {
	Calls  uint64
	Failed uint64
}

var (
	// Counts holds the counts by number of the call.
	Counts = bpf.Hash[uint32, Count]{MaxEntries: 512}
	// Running holds the number of the call that each thread is in.
	Running = bpf.LRUHash[uint32, uint32]{MaxEntries: 16384}
)

// Enter sees a system call begin. Its arguments are the registers and the number.
//
//bpf:raw_tracepoint sys_enter
func Enter(ctx *trace.RawContext) int32 {
	if PID != 0 && bpf.CurrentPID() != PID {
		return 0
	}
	nr := uint32(ctx.Args[1])
	Running.Update(bpf.CurrentTID(), nr, bpf.Any)
	if c := Counts.Lookup(nr); c != nil {
		bpf.AtomicAdd(&c.Calls, 1)
	} else {
		Counts.Update(nr, Count{Calls: 1}, bpf.NoExist)
	}
	return 0
}

// Exit sees a system call end. Its arguments are the registers and the result.
//
//bpf:raw_tracepoint sys_exit
func Exit(ctx *trace.RawContext) int32 {
	if int64(ctx.Args[1]) >= 0 {
		return 0
	}
	nr := Running.Lookup(bpf.CurrentTID())
	if nr == nil {
		return 0
	}
	if c := Counts.Lookup(*nr); c != nil {
		bpf.AtomicAdd(&c.Failed, 1)
	}
	return 0
}
