package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
)

const (
	// isolatedEnv is first in the process that begins namespaces of its own,
	// and inside in those it starts, such as the workers of a fuzz test.
	isolatedEnv = "WAGGLE_TEST_ISOLATED"
	first       = "first"
	inside      = "inside"
	// hostEnv, set to 1, keeps the tests in the namespaces of the machine, for
	// debuggers: they can't follow a new process.
	hostEnv = "WAGGLE_TEST_HOST"

	exitLeak = 99
)

// Main runs the tests of a package, isolated if it is root, and exits; with
// code 99 and a list if the tests passed but left something behind.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for those who have to do something after it. It returns the exit
// code.
func Run(m *testing.M) int {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testkit:", err)
		return 1
	}
	return code
}

func run(m *testing.M) (int, error) {
	switch state := os.Getenv(isolatedEnv); {
	case state == inside:
		return m.Run(), nil
	case state == first:
		os.Setenv(isolatedEnv, inside)
		if err := furnish(); err != nil {
			return 0, fmt.Errorf("furnish namespaces: %w", err)
		}
		return runWatched(m, true)
	case os.Geteuid() == 0 && os.Getenv(hostEnv) != "1":
		code, err := runIsolated()
		if err != nil {
			return 0, fmt.Errorf("isolate tests: %w", err)
		}
		return code, nil
	}
	code, err := runWatched(m, false)
	removeCgroupBase()
	return code, err
}

// runWatched runs the tests and compares what is there before and after.
func runWatched(m *testing.M, isolated bool) (int, error) {
	before, err := takeStock(isolated)
	if err != nil {
		return 0, fmt.Errorf("take stock: %w", err)
	}
	code := m.Run()
	leaks := before.waitForLeaks()
	for _, l := range leaks {
		fmt.Fprintln(os.Stderr, "testkit: leaked", l)
	}
	if code == 0 && len(leaks) > 0 {
		code = exitLeak
	}
	return code, nil
}

// runIsolated runs this test binary again in network and mount namespaces of its
// own and returns its exit code. A process can't move itself: the threads that
// the Go runtime already has would stay behind.
func runIsolated() (int, error) {
	// The parent-death signal comes when the starting thread ends.
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), isolatedEnv+"="+first)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// Unshare, not clone: os/exec then makes the new mounts private too.
		Unshareflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS,
		Pdeathsig:    unix.SIGKILL,
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // it may just have ended
		}
	}()
	// Open, lest the kernel gives its number to another one.
	ns, err := os.Open(mountNamespace(cmd.Process.Pid))
	if err != nil {
		return 0, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	defer ns.Close()
	err = cmd.Wait()
	// Here and not there: tests that run out of time end their process at once.
	killLeftOvers(ns)
	removeCgroupBase()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			return 128 + int(ws.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

// privateMounts are file systems that an isolated test binary has for itself.
// Not all machines have tracefs mounted, and tracepoints are found through it.
var privateMounts = []struct{ kind, dir string }{
	{"bpf", bpfDir},
	{"tmpfs", netnsDir},
	{"tracefs", "/sys/kernel/tracing"},
}

const (
	bpfDir   = "/sys/fs/bpf"
	netnsDir = "/run/netns" // where ip netns keeps names
)

// furnish makes fresh namespaces usable.
func furnish() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return err
	}
	for _, m := range privateMounts {
		if err := unix.Mount(m.kind, m.dir, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	return rtnl.Do(func(c *rtnl.Conn) error { return c.SetUp(loopback) })
}

// loopback is the index of lo in every network namespace.
const loopback = 1
