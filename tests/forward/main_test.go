//go:build linux

package forward

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/cli"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) {
	command.Main(m, func() { os.Exit(cli.Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) })
}

// engines are all there are. What an engine can't do here it says, and the test
// decides whether that is right.
var engines = []string{"packet", "splice", "sockmap", "uring", "copy"}

// forwarder is a running "waggle forward".
type forwarder struct {
	*command.Process
	file  string // its configuration
	admin string // its admin socket
}

// startForwarder runs it with a configuration until the test ends, and returns when
// it listens on the given ports.
func startForwarder(t *testing.T, config string, ports ...uint16) *forwarder {
	t.Helper()
	dir := t.TempDir()
	f := &forwarder{file: filepath.Join(dir, "forward.yaml"), admin: filepath.Join(dir, "admin.sock")}
	write(t, f.file, config)
	f.start(t, ports...)
	return f
}

// start runs it, perhaps again. The test is skipped, but not in CI, if the engine
// can't run on this kernel and says why.
func (f *forwarder) start(t *testing.T, ports ...uint16) {
	t.Helper()
	f.Process = command.Start(t, "forward", "--config", f.file, "--admin", f.admin)
	for _, port := range ports {
		eventually(t, fmt.Sprintf("a listener on port %d", port), func() bool { return listens(t, port) || f.ended() })
	}
	if f.ended() {
		testkit.Need(t, fmt.Errorf("%s: %w", f.Expect("start engine .*")[0], ebpf.ErrNotSupported))
	}
}

func (f *forwarder) ended() bool { return hasEnded(f.PID()) }

// hasEnded tells whether a process has ended. It may still wait to be asked how
// (proc_pid_stat(5)).
func hasEnded(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(text), ") Z ")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// at is an address on the loopback device.
func at(port uint16) string {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port).String()
}

// listens tells whether something listens on a port. It looks into /proc/net/tcp
// (proc_pid_net(5)), because a connection would be forwarded; into that of this thread,
// because the process's first one may have been left in another network namespace.
func listens(t *testing.T, port uint16) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/thread-self/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	const local, state, listen = 1, 3, "0A"
	suffix := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > state && f[state] == listen && strings.HasSuffix(f[local], suffix) {
			return true
		}
	}
	return false
}

// patience is how long to wait for what should come soon.
const patience = 20 * time.Second

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	within(t, patience, what, holds)
}

func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("wait for %s: it has not come", what)
		}
	}
}

// scaled is a number for long tests, or for quick ones.
func scaled[T any](long, quick T) T {
	if testkit.Long() {
		return long
	}
	return quick
}

// fileLimit is how many files this process, and one that it starts, may have open.
func fileLimit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<20))
}
