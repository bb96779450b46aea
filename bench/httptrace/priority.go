package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// highest is the highest priority of ordinary processes, a nice value.
const highest = -20

// realTime runs f, and the processes that it starts, before all ordinary processes.
func realTime(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	policy := func(p, priority uint32) error {
		a := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: p, Priority: priority, Nice: highest}
		return unix.SchedSetAttr(0, &a, 0)
	}
	if err := policy(unix.SCHED_RR, 1); err != nil {
		return fmt.Errorf("get real-time priority: %w", err)
	}
	defer policy(unix.SCHED_NORMAL, 0)
	return f()
}

// isolate runs this program again in namespaces of its own and with the highest
// priority, and ends it when ctx does.
func isolate(ctx context.Context) error {
	// Children have the priority of the thread that makes them, and get a signal when
	// it ends.
	runtime.LockOSThread()
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, highest); err != nil {
		return fmt.Errorf("raise priority: %w", err)
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"-role=measure"}, os.Args[1:]...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it cleans up
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Setsid:       true,
		Pdeathsig:    syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// Where sessions share the CPU (CONFIG_SCHED_AUTOGROUP), a process's priority
	// counts only within its own, which has one, too.
	group := fmt.Sprintf("/proc/%d/autogroup", cmd.Process.Pid)
	if err := os.WriteFile(group, fmt.Append(nil, highest), 0); err != nil && !os.IsNotExist(err) {
		fmt.Fprintln(os.Stderr, "httptrace: raise priority:", err)
	}
	return cmd.Wait()
}
