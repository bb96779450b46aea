// Package opensnoop reports the files that processes open.
package opensnoop

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// PID, if not 0, is the only process to report. Settable before load: the verifier
// removes the test if it is not used.
//
//bpf:const
var PID uint32

// Event is one open file.
type Event struct {
	PID   uint32
	UID   uint32
	Flags uint32
	Comm  [16]byte
	Name  [128]byte // ends in a zero byte
}

// Events carries the events.
var Events = bpf.RingBuf[Event]{MaxEntries: 256 << 10}

// openat is the context of tracepoint syscalls/sys_enter_openat.
type openat struct {
	trace.Common
	Nr       int64
	Dfd      int64
	Filename uint64
	Flags    uint64
	Mode     uint64
}

// Open reports a call of openat.
//
//bpf:tracepoint syscalls/sys_enter_openat
func Open(ctx *openat) int32 {
	pid := bpf.CurrentPID()
	if PID != 0 && PID != pid {
		return 0
	}
	e := Events.Reserve()
	if e == nil {
		return 0
	}
	e.PID, e.UID, e.Flags = pid, uint32(bpf.GetCurrentUidGid()), uint32(ctx.Flags)
	bpf.GetCurrentComm(&e.Comm)
	if trace.ReadUserString(e.Name[:], ctx.Filename) < 0 {
		e.Name[0] = 0
	}
	Events.Submit(e)
	return 0
}
