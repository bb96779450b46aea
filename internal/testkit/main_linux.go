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
	// isolatedEnv marks the process that runs in namespaces of its own.
	isolatedEnv = "WAGGLE_TEST_ISOLATED"
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
	if os.Geteuid() == 0 && os.Getenv(isolatedEnv) == "" && os.Getenv(hostEnv) != "1" {
		code, err := runIsolated()
		if err != nil {
			fmt.Fprintln(os.Stderr, "testkit: isolate tests:", err)
			return 1
		}
		return code
	}
	isolated := os.Getenv(isolatedEnv) == "1"
	if isolated {
		if err := furnish(); err != nil {
			fmt.Fprintln(os.Stderr, "testkit: furnish namespaces:", err)
			return 1
		}
	}
	before, err := takeStock(isolated)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testkit: take stock:", err)
		return 1
	}
	code := m.Run()
	leaks := before.waitForLeaks()
	for _, l := range leaks {
		fmt.Fprintln(os.Stderr, "testkit: leaked", l)
	}
	if isolated {
		killLeftOvers()
	}
	removeCgroupBase()
	if code == 0 && len(leaks) > 0 {
		code = exitLeak
	}
	return code
}

// runIsolated runs this test binary again in network and mount namespaces of its
// own and returns its exit code. A process can't move itself: the threads that
// the Go runtime already has would stay behind.
func runIsolated() (int, error) {
	// The parent-death signal comes when the starting thread ends.
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), isolatedEnv+"=1")
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
	err := cmd.Wait()
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
