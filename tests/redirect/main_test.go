//go:build linux

package redirect

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/cli"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// proxyEnv marks a process of this test that is to be a proxy; see splicer.
const proxyEnv = "WAGGLE_TEST_PROXY"

func TestMain(m *testing.M) {
	if ports := os.Getenv(proxyEnv); ports != "" {
		splicer(ports)
		return
	}
	command.Main(m, func() { os.Exit(cli.Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) })
}

// patience is how long to wait for what should come soon.
const patience = 30 * time.Second

// short is a group whose connections "waggle redirect" short-cuts.
type short struct {
	*testkit.Cgroup
	*command.Process
}

// startShort runs the command for a new group until the test ends.
func startShort(t *testing.T, args ...string) *short {
	t.Helper()
	g := testkit.NewCgroup(t)
	p := command.Start(t, append([]string{"redirect", "--cgroup", g.Path}, args...)...)
	p.Expect("^short-cutting")
	return &short{g, p}
}

// daemon runs a server in the group until the test ends, and returns when it listens.
func (s *short) daemon(t *testing.T, port uint16, cmd *exec.Cmd) {
	t.Helper()
	s.Use(t, cmd)
	(*testkit.NS)(nil).Start(t, cmd)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, cmd.Args[0]+" to listen", func() bool { return listens(t, port) })
}

// at is an address on the loopback device.
func at(port uint16) string {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port).String()
}

// listens tells whether something listens on a port, without a connection
// (proc_pid_net(5)).
func listens(t *testing.T, port uint16) bool {
	t.Helper()
	const local, state, listen = 1, 3, "0A"
	suffix := fmt.Sprintf(":%04X", port)
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) > state && f[state] == listen && strings.HasSuffix(f[local], suffix) {
				return true
			}
		}
	}
	return false
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("wait for %s: it has not come", what)
		}
	}
}
