// Package execevents tells user space of each process that executes a program.
package execevents

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// Event is one call of execve.
type Event struct {
	PID  uint32
	UID  uint32
	Comm [16]byte // of the program that asks
}

// Events carries the events.
var Events = bpf.RingBuf[Event]{MaxEntries: 1 << 24}

// Execve reports a call.
//
//bpf:kprobe sys_execve
func Execve(*trace.Regs) int32 {
	e := Events.Reserve()
	if e == nil {
		return 0
	}
	e.PID = bpf.CurrentPID()
	e.UID = uint32(bpf.GetCurrentUidGid())
	bpf.GetCurrentComm(&e.Comm)
	Events.Submit(e)
	return 0
}
