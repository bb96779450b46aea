// Package minimal logs the writes of one process, whose ID user space puts into a
// variable.
package minimal

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// PID is the process that is watched.
var PID uint32

// Writes counts its writes.
var Writes uint64

// sysEnter is the context of the tracepoints below syscalls/sys_enter.
type sysEnter struct {
	trace.Common
	Nr   int64
	Args [6]uint64
}

// Write sees a call of write.
//
//bpf:tracepoint syscalls/sys_enter_write
func Write(*sysEnter) int32 {
	pid := bpf.CurrentPID()
	if pid != PID {
		return 0
	}
	bpf.AtomicAdd(&Writes, 1)
	bpf.Log("write from PID %d", pid)
	return 0
}
