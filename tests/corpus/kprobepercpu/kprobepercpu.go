// Package kprobepercpu counts how often the kernel is asked to execute a program,
// on every CPU for itself.
package kprobepercpu

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// Calls holds the count at index 0.
var Calls = bpf.PerCPUArray[uint64]{MaxEntries: 1}

// Execve counts a call.
//
//bpf:kprobe sys_execve
func Execve(*trace.Regs) int32 {
	if n := Calls.Lookup(0); n != nil {
		*n++
	}
	return 0
}
