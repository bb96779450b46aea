package main

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/bench/internal/isolate"
)

// realTime runs f, and the processes that it starts, before all ordinary processes.
func realTime(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	policy := func(p, priority uint32) error {
		a := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: p, Priority: priority, Nice: isolate.Highest}
		return unix.SchedSetAttr(0, &a, 0)
	}
	if err := policy(unix.SCHED_RR, 1); err != nil {
		return fmt.Errorf("get real-time priority: %w", err)
	}
	defer policy(unix.SCHED_NORMAL, 0)
	return f()
}
