package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
)

// NS is a network namespace made for a test. It has no name: it lives as long as
// its file descriptor and what runs in it.
type NS struct {
	file *os.File
}

// NewNS makes a network namespace with its loopback device up.
func NewNS(t testing.TB) *NS {
	t.Helper()
	RequireRoot(t)
	type result struct {
		file *os.File
		err  error
	}
	made := make(chan result)
	go func() {
		// The thread is never unlocked, so it ends with the goroutine.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			made <- result{err: fmt.Errorf("make network namespace: %w", err)}
			return
		}
		err := rtnl.Do(func(c *rtnl.Conn) error { return c.SetUp(loopback) })
		file, openErr := os.Open("/proc/thread-self/ns/net")
		made <- result{file, errors.Join(err, openErr)}
	}()
	r := <-made
	if r.file != nil {
		t.Cleanup(func() { r.file.Close() })
	}
	if r.err != nil {
		t.Fatal(r.err)
	}
	return &NS{file: r.file}
}

// FD is the namespace's file descriptor, open until the test ends.
func (n *NS) FD() int { return int(n.file.Fd()) }

// Do runs f with its goroutine's thread in the namespace. Sockets that f makes
// stay in it for good, processes that f starts too; goroutines that f starts
// don't run in it, so f dials IP addresses, not names.
func (n *NS) Do(t testing.TB, f func()) {
	t.Helper()
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	if err := unix.Setns(n.FD(), unix.CLONE_NEWNET); err != nil {
		t.Fatalf("enter network namespace: %v", err)
	}
	defer func() {
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(fmt.Sprintf("leave network namespace: %v", err))
		}
		runtime.UnlockOSThread()
	}()
	f()
}

// Enter moves the calling goroutine into the namespace for the rest of its life; as
// in Do, processes and sockets that it makes are there too, goroutines are not.
func (n *NS) Enter(t testing.TB) {
	t.Helper()
	// The thread is never unlocked, so it ends with the goroutine.
	runtime.LockOSThread()
	if err := unix.Setns(n.FD(), unix.CLONE_NEWNET); err != nil {
		t.Fatalf("enter network namespace: %v", err)
	}
}

// Start starts a command in the namespace; nil is the namespace of the test. Its
// output goes to the test's log, and it is killed, if need be, when the test ends.
func (n *NS) Start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	w := &logWriter{t: t, prefix: cmd.Args[0]}
	if cmd.Stdout == nil {
		cmd.Stdout = w
	}
	if cmd.Stderr == nil {
		cmd.Stderr = w
	}
	cmd.WaitDelay = 2 * time.Second
	var err error
	if n == nil {
		err = cmd.Start()
	} else {
		n.Do(t, func() { err = cmd.Start() })
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
}

// logWriter writes a process's output to a test's log.
type logWriter struct {
	t      testing.TB
	prefix string
}

func (w *logWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s: %s", w.prefix, p)
	return len(p), nil
}
