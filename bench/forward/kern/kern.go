// Package kern counts the system calls of the processes in a cgroup.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// Cgroup is the cgroup whose processes are counted: the inode of its directory.
// Settable before load.
//
//bpf:const
var Cgroup uint64

// Calls holds the number of system calls, on each CPU.
var Calls = bpf.PerCPUArray[uint64]{MaxEntries: 1}

// Enter sees a system call begin.
//
//bpf:raw_tracepoint sys_enter
func Enter(*trace.RawContext) int32 {
	if bpf.GetCurrentCgroupID() != Cgroup {
		return 0
	}
	if n := Calls.Lookup(0); n != nil {
		*n++
	}
	return 0
}
