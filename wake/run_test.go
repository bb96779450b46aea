package wake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/config"
)

// runs lets Run look after a target until the test ends, and returns where it listens. What
// is left of the options is the usual.
func runs(t *testing.T, cfg *config.Config, o Options) (addr string, end func() (notices string)) {
	t.Helper()
	var mu sync.Mutex
	var notices []string
	listening := make(chan string, 1)
	o.Timeout, o.StopTimeout, o.Held, o.End = patience, patience, 10, true
	o.Control = filepath.Join(t.TempDir(), "c.sock")
	o.Notice = func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if addr, ok := strings.CutPrefix(text, "listening on "); ok {
			listening <- addr
		}
		mu.Lock()
		defer mu.Unlock()
		notices = append(notices, text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg, o, io.Discard) }()
	end = sync.OnceValue(func() string {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		return strings.Join(notices, "\n")
	})
	t.Cleanup(func() { end() })
	return <-listening, end
}

// TestMoves: a target whose name leads nowhere before it is started is found then.
func TestMoves(t *testing.T) {
	s := newServer(t, echo)
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Simple("127.0.0.1:0", "sleepy:"+port)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listeners[0].Engine = "splice"
	cfg.Groups[0].Resolve = func(context.Context, string) ([]netip.Addr, error) {
		if s.starts.Load() == 0 {
			return nil, errors.New("no such host")
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	probe, err := ParseProbe("tcp", s.addr, config.NoProxy)
	if err != nil {
		t.Fatal(err)
	}
	addr, end := runs(t, cfg, Options{Start: s, Stop: s, Probe: probe})
	if err := talks(addr); err != nil {
		t.Error(err)
	}
	if text := end(); strings.Contains(text, "does not answer") {
		t.Errorf("a client was let through before it was known where to:\n%s", text)
	}
}

// TestServiceManager: the service manager hears that all is well, as often as it wants to,
// also while the last clients are served.
func TestServiceManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "20000")
	s := newServer(t, echo)
	cfg, err := config.Simple("127.0.0.1:0", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listeners[0].Engine, cfg.Drain = "splice", patience
	probe, err := ParseProbe("tcp", s.addr, config.NoProxy)
	if err != nil {
		t.Fatal(err)
	}
	addr, end := runs(t, cfg, Options{Start: s, Stop: s, Probe: probe})
	hears := func(want string) {
		t.Helper()
		said := make([]byte, 100)
		_ = l.SetReadDeadline(time.Now().Add(patience))
		n, err := l.Read(said)
		if string(said[:n]) != want || err != nil {
			t.Fatalf("heard %q and %v, want %s", said[:n], err, want)
		}
	}
	hears("READY=1")
	hears("WATCHDOG=1")
	hears("WATCHDOG=1")
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := says(c, "hello"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		end()
	}()
	_ = l.SetReadDeadline(time.Now().Add(patience))
	for said := make([]byte, 100); ; {
		n, err := l.Read(said)
		if err != nil {
			t.Fatal(err)
		}
		if string(said[:n]) == "STOPPING=1" {
			break
		}
	}
	hears("WATCHDOG=1")
	c.Close()
	<-ended
}

// TestNoControl: who comes before it is known that there is no socket to be had doesn't
// hold up the end.
func TestNoControl(t *testing.T) {
	s := newServer(t, echo)
	cfg, err := config.Simple("127.0.0.1:0", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listeners[0].Engine = "splice"
	w, f, err := prepare(cfg, Options{Start: s, Notice: t.Logf}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", f.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	for f.Status(0).Open == 0 {
		time.Sleep(time.Millisecond)
	}
	w.abandon()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	wantsReset(t, c)
}
