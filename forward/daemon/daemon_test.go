//go:build unix

package daemon

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/admin"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patience is how long to wait for what should come soon.
const patience = 20 * time.Second

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// echo is the address of a server that answers with what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer c.Close()
				_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}) // without splice, whose pipes Go keeps
			})
		}
	})
	t.Cleanup(func() { l.Close(); work.Wait() })
	return l.Addr().String()
}

// TestLogOfDraining: who rotates logs does so while a forwarder drains, too, as one does
// for a long time that was replaced by a successor.
func TestLogOfDraining(t *testing.T) {
	dir := t.TempDir()
	socket, log := filepath.Join(dir, "admin.sock"), filepath.Join(dir, "log")
	cfg, err := config.Simple("127.0.0.1:0", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listeners[0].Engine = "copy"
	cfg.AccessLog = &config.AccessLog{Path: log}
	cfg.Drain = -1
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Load: func() (*config.Config, error) { return cfg, nil }, Admin: socket})
	}()
	var addr string
	until(t, "it serves", func() bool {
		s, err := admin.Status(socket, 0)
		if err != nil {
			return false
		}
		addr = s.Listeners[0].Address.String()
		return true
	})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	until(t, "it drains", func() bool {
		s, err := admin.Status(socket, 0)
		return err == nil && s.Draining
	})
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
		if err := os.Rename(log, log+".1"); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
		until(t, "there is a new log after "+sig.String(), func() bool {
			_, err := os.Stat(log)
			return err == nil
		})
	}
	c.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(log); err != nil || !strings.Contains(string(b), "client=") {
		t.Errorf("the new log has %s, %v", b, err)
	}
}

// TestEarlySignal: a signal that comes while the forwarder starts is not its end.
func TestEarlySignal(t *testing.T) {
	cfg, err := config.Simple("127.0.0.1:0", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listeners[0].Engine = "copy"
	var loads atomic.Int32
	load := func() (*config.Config, error) {
		if loads.Add(1) == 1 {
			return cfg, syscall.Kill(os.Getpid(), syscall.SIGHUP)
		}
		return cfg, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Load: load, Admin: filepath.Join(t.TempDir(), "admin.sock")})
	}()
	until(t, "it loads the configuration again", func() bool { return loads.Load() == 2 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
