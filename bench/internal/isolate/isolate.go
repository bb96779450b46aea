// Package isolate gives a benchmark a machine of its own, as far as one has more of them:
// namespaces for its network and its mounts, and the highest priority of ordinary
// processes, which those that it starts inherit.
package isolate

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
)

// SteadyThreads, as an environment variable, is for who makes blocking system calls
// behind the back of Go's scheduler, which must not interrupt them.
const SteadyThreads = "GODEBUG=asyncpreemptoff=1"

// Highest is the highest priority of ordinary processes, a nice value.
const Highest = -20

// marker is set in the environment of who is isolated.
const marker = "WAGGLE_BENCH_ISOLATED"

// Run runs this program again, isolated and with more environment variables, where it
// comes here once more and measures. It ends when ctx does.
func Run(ctx context.Context, measure func() error, env ...string) error {
	if os.Getenv(marker) == "" {
		return again(ctx, env)
	}
	if err := os.Unsetenv(marker); err != nil { // who is started may isolate others
		return err
	}
	if err := furnish(); err != nil {
		return err
	}
	return measure()
}

func again(ctx context.Context, env []string) error {
	// Children have the priority of the thread that makes them, and get a signal when
	// it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, Highest); err != nil {
		return fmt.Errorf("raise priority: %w", err)
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it cleans up
	cmd.Env = append(append(os.Environ(), marker+"=1"), env...)
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
	if err := os.WriteFile(group, fmt.Append(nil, Highest), 0); err != nil && !os.IsNotExist(err) {
		fmt.Fprintln(os.Stderr, "raise priority:", err)
	}
	return cmd.Wait()
}

// furnish makes the namespaces usable: with loopback, and with pins of their own.
func furnish() error {
	const loopback = 1
	if err := rtnl.Do(func(c *rtnl.Conn) error { return c.SetUp(loopback) }); err != nil {
		return fmt.Errorf("set loopback up: %w", err)
	}
	if err := unix.Mount("bpf", "/sys/fs/bpf", "bpf", 0, ""); err != nil {
		return fmt.Errorf("mount bpf file system: %w", err)
	}
	return nil
}
