//go:build linux

package wake

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/cli"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// serverEnv makes a process a server: ADDRESS DELAY, which listens after a while and
// echoes.
const serverEnv = "WAGGLE_TEST_SERVER"

func TestMain(m *testing.M) {
	if spec := os.Getenv(serverEnv); spec != "" {
		if err := serve(spec); err != nil {
			fmt.Fprintln(os.Stderr, "server:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	command.Main(m, func() { os.Exit(cli.Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) })
}

// serve is a server that ends at once when it is told to, and cuts off who is
// connected.
func serve(spec string) error {
	var addr, after string
	if _, err := fmt.Sscan(spec, &addr, &after); err != nil {
		return err
	}
	delay, err := time.ParseDuration(after)
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	select {
	case <-time.After(delay):
	case <-stop:
		return nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
			}()
		}
	}()
	<-stop
	return nil
}

// server is the target that makes this binary a server.
func server(t *testing.T, addr string, delay time.Duration) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("exec:%s='%s %s' exec %s", serverEnv, addr, delay, self)
}

// The ports of the tests; each has a network namespace of its own, if it is root.
const (
	front uint16 = 8022
	back  uint16 = 9022
)

func at(port uint16) string {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port).String()
}

// startWake runs waggle wake until the test ends, and returns when it listens.
func startWake(t *testing.T, args ...string) *command.Process {
	t.Helper()
	testkit.RequireRoot(t) // the ports have to be free
	p := command.Start(t, append([]string{"wake", "--listen", at(front), "--to", at(back)}, args...)...)
	p.Expect(`^waggle: listening on 127\.0\.0\.1:8022$`)
	return p
}

// patience is how long to wait for what should come soon.
const patience = 30 * time.Second

// talk is a whole conversation with a server that echoes.
func talk() error {
	c, err := net.Dial("tcp", at(front))
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	const text = "hello"
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	_ = c.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(c); string(got) != text || err != nil {
		return fmt.Errorf("got %q and %v, want %q", got, err, text)
	}
	return nil
}

// nothingLeft wants nobody to listen where the target does.
func nothingLeft(t *testing.T) {
	t.Helper()
	c, err := net.Dial("tcp", at(back))
	if err == nil {
		c.Close()
		t.Error("the target is still there")
	} else if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
}

// count counts the lines that contain a text.
func count(lines []string, text string) (n int) {
	for _, l := range lines {
		if strings.Contains(l, text) {
			n++
		}
	}
	return n
}

// scaled is a number for long tests, or for quick ones.
func scaled[T any](long, quick T) T {
	if testkit.Long() {
		return long
	}
	return quick
}
