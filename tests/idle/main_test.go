//go:build linux

// Package idle runs waggle idle as its users do: as a process, with real services and
// real clients.
package idle

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/cli"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == serviceArg {
		serve(os.Args[2:])
		return
	}
	// They wait more than they compute: more at a time than there are processors.
	_ = flag.Set("test.parallel", "6")
	command.Main(m, func() { os.Exit(cli.Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) })
}

// patience is how long to wait for what should come soon.
const patience = 20 * time.Second

// waggle runs waggle idle with a control socket of its own.
func waggle(t *testing.T, args ...string) *command.Process {
	t.Helper()
	return command.Start(t, append([]string{"idle", "run", "--control", control(t)}, args...)...)
}

// control is the control socket of a test, in a directory that users without rights
// may make, too.
func control(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("/tmp", fmt.Sprintf("waggle-test-%d-%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-")))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "c.sock")
}

// ask runs another waggle idle command against the same socket and returns its output.
func ask(t *testing.T, name string, args ...string) string {
	t.Helper()
	var out, errs strings.Builder
	all := append([]string{"idle", name, "--control", control(t)}, args...)
	if code := cli.Run(all, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("waggle %s: exit code %d: %s", strings.Join(all, " "), code, &errs)
	}
	return out.String()
}

// wantCode waits for the end of a process.
func wantCode(t *testing.T, p *command.Process, want int) {
	t.Helper()
	if code := p.Wait(); code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
}

// lastPort is the port that freePort has returned last. They lie below those that the
// kernel gives to clients (ip_local_port_range).
var lastPort atomic.Int32

// freePort is a port on which nobody listens, and that nobody else gets.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := fmt.Sprint(20_000 + lastPort.Add(1))
		if l, err := net.Listen("tcp", ":"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	panic("unreachable")
}

// dial connects as soon as somebody listens.
func dial(t *testing.T, port string) net.Conn {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			t.Cleanup(func() { c.Close() })
			return c
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not so in the end: " + what)
		}
	}
}

// leftCgroups are the cgroups that waggle idle has made in ours.
func leftCgroups(t *testing.T, pid int) []string {
	t.Helper()
	mount, err := testkit.CgroupMount()
	if err != nil {
		return nil
	}
	var left []string
	_ = filepath.WalkDir(mount, func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(filepath.Base(path)+".", fmt.Sprintf("waggle-idle-%d.", pid)) {
			left = append(left, path)
		}
		return nil
	})
	return left
}

// serviceArg makes the test binary a service: it echoes on the port that is the next
// argument.
const serviceArg = "test-service"

func serve(args []string) {
	l, err := net.Listen("tcp", ":"+args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go func() {
				_, _ = io.Copy(c, c)
				c.Close()
			}()
		}
	}
}

// service is the command line of a service.
func service(port string) []string { return []string{"--", "/proc/self/exe", serviceArg, port} }
