//go:build linux

package forward

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/admin"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// TestService runs the forwarder as a service manager does: systemd's own tool opens the
// socket and starts it when the first client comes, and it has to tell what it does.
// It is upgraded, given another configuration, and stopped.
func TestService(t *testing.T) {
	testkit.RequireRoot(t)
	activate := testkit.RequireTool(t, "systemd-socket-activate")
	startEcho(t)
	m := startManager(t)
	f := &forwarder{file: filepath.Join(t.TempDir(), "forward.yaml"), admin: filepath.Join(t.TempDir(), "admin.sock")}
	write(t, f.file, echoVia("splice", "false"))
	program, variable := command.Invocation(t, "forward", "--config", f.file, "--admin", f.admin)
	args := []string{"--listen", at(echoFront), "--setenv", variable, "--setenv", "NOTIFY_SOCKET=" + m.path, "--setenv", "WATCHDOG_USEC=200000"}
	cmd := exec.Command(activate, append(args, program...)...)
	(*testkit.NS)(nil).Start(t, cmd)
	eventually(t, "the socket", func() bool { return listens(t, echoFront) })
	if m.told() != 0 {
		t.Error("the forwarder runs although nobody has come")
	}

	// The client that makes it start is served, too.
	first := call(t)
	m.expect(t, fmt.Sprintf("MAINPID=%d", cmd.Process.Pid), "READY=1") // the tool has become the forwarder
	m.expect(t, "WATCHDOG=1")

	if err := syscall.Kill(cmd.Process.Pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	m.expect(t, "RELOADING=1", "MONOTONIC_USEC=")
	m.expect(t, "READY=1")

	pid, err := admin.Upgrade(f.admin)
	if err != nil {
		t.Fatal(err)
	}
	m.expect(t, fmt.Sprintf("MAINPID=%d", pid))
	if err := first.trip(); err != nil {
		t.Errorf("the first client, after the upgrade: %v", err)
	}
	if err := first.end(); err != nil {
		t.Error(err)
	}
	eventually(t, "the old forwarder's end", func() bool { return hasEnded(cmd.Process.Pid) })
	if err := call(t).end(); err != nil {
		t.Error(err)
	}

	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.expect(t, "STOPPING=1")
	eventually(t, "the forwarder's end", func() bool { return hasEnded(pid) })
}

// call is a client that has made a round trip.
func call(t *testing.T) *talker {
	t.Helper()
	k, err := dialTalker(echoFront)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.conn.Close() })
	return k
}

// manager is the socket on which services tell their state (sd_notify(3)).
type manager struct {
	path string

	mu    sync.Mutex
	texts []string
	next  int // the first that expect has not looked at
}

func startManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{path: filepath.Join(t.TempDir(), "notify.sock")}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		c.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		for buf := make([]byte, 4<<10); ; {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.texts = append(m.texts, string(buf[:n]))
			m.mu.Unlock()
		}
	}()
	return m
}

func (m *manager) told() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.texts)
}

// expect waits for a message that has all the texts, behind the one found before.
func (m *manager) expect(t *testing.T, texts ...string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !m.find(texts); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.mu.Lock()
			defer m.mu.Unlock()
			t.Fatalf("the service manager was not told %q; it was told %q", texts, m.texts)
		}
	}
}

func (m *manager) find(texts []string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, text := range m.texts[m.next:] {
		has := true
		for _, want := range texts {
			has = has && strings.Contains(text, want)
		}
		if has {
			m.next += i + 1
			return true
		}
	}
	return false
}
