// Package funclatency measures how long calls of a function in user space take. The
// function is chosen when the programs are attached.
package funclatency

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// Call is a call that is under way.
type Call struct {
	Time uint64 // ns since boot
	Arg  uint64 // the first argument
}

// Event is a call that has returned.
type Event struct {
	PID, TID uint32
	Arg, Ret uint64
	Duration uint64 // ns
	Name     [32]byte
}

var (
	// Calls holds the calls under way by thread.
	Calls = bpf.Hash[uint32, Call]{MaxEntries: 10240}
	// Events carries those that have returned.
	Events = bpf.RingBuf[Event]{MaxEntries: 1 << 20}
)

// ArgIsString says that the first argument is a string, to put into Event.Name.
// Settable before load.
//
//bpf:const
var ArgIsString bool

// Enter sees a call.
//
//bpf:uprobe
func Enter(ctx *trace.Regs) int32 {
	Calls.Update(bpf.CurrentTID(), Call{Time: bpf.KtimeGetNS(), Arg: ctx.Arg(0)}, bpf.Any)
	return 0
}

// Return sees its return.
//
//bpf:uretprobe
func Return(ctx *trace.Regs) int32 {
	id := bpf.GetCurrentPidTgid()
	pid, tid := uint32(id>>32), uint32(id)
	c := Calls.Lookup(tid)
	if c == nil {
		return 0 // the call began before we did
	}
	call := *c
	Calls.Delete(tid)
	e := Events.Reserve()
	if e == nil {
		return 0
	}
	*e = Event{
		PID: pid, TID: tid,
		Arg: call.Arg, Ret: ctx.Ret(),
		Duration: bpf.KtimeGetNS() - call.Time,
	}
	if ArgIsString {
		trace.ReadUserString(e.Name[:], call.Arg)
	}
	Events.Submit(e)
	return 0
}
