package forward

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/accesslog"
	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/route"
)

// patience is how long to wait for what should come soon.
const patience = 20 * time.Second

// rig is a forwarder with what is around it.
type rig struct {
	*Forwarder
	t       *testing.T
	cfg     *config.Config
	log     output
	notices output
}

// output is a file in memory.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// configure returns a configuration with a listener "in" that leads to backends.
func configure(backends ...string) *config.Config {
	c := config.Default()
	c.AccessLog = &config.AccessLog{Path: "-", Format: accesslog.JSON}
	c.Drain = patience
	g := &config.Group{Config: backend.Config{Name: "out"}}
	for _, b := range backends {
		g.Targets = append(g.Targets, backend.Target{Address: b})
	}
	c.Groups = []*config.Group{g}
	c.Listeners = []*config.Listener{{
		Name: "in", Address: netip.MustParseAddrPort("127.0.0.1:0"), Engine: "splice", Default: g,
	}}
	return c
}

// routes gives a configuration's listener rules.
func routes(t *testing.T, c *config.Config, rules ...route.Rule) {
	t.Helper()
	table, err := route.Compile(rules, route.Options{Max: c.Limits.HeaderBytes})
	if err != nil {
		t.Fatal(err)
	}
	c.Listeners[0].Routes, c.Listeners[0].Table = rules, table
}

func start(t *testing.T, c *config.Config) *rig {
	t.Helper()
	return startWith(t, c, Options{})
}

func startWith(t *testing.T, c *config.Config, o Options) *rig {
	t.Helper()
	r := &rig{t: t, cfg: c}
	o.Output = &r.log
	o.Notice = func(text string) { fmt.Fprintln(&r.notices, text) }
	f, err := New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	r.Forwarder = f
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("access log:\n%snotices:\n%s", tail(r.log.String()), tail(r.notices.String()))
		}
	})
	return r
}

// tail is the last lines of a text.
func tail(s string) string {
	lines := strings.SplitAfter(s, "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "")
}

func (r *rig) dial() *net.TCPConn {
	r.t.Helper()
	return dial(r.t, r.Addrs()[0].String())
}

// dialReset connects and wants a reset, which may come before dialling is over.
func (r *rig) dialReset() {
	r.t.Helper()
	c, err := net.Dial("tcp", r.Addrs()[0].String())
	if errors.Is(err, syscall.ECONNRESET) {
		return
	}
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	wantsReset(r.t, c)
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// server is a backend. Each of its connections is given to serve.
type server struct {
	net.Listener
	accepted chan *net.TCPConn // if there is no serve
}

func serve(t *testing.T, serve func(*net.TCPConn)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{l, make(chan *net.TCPConn, 1000)}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			if serve == nil {
				s.accepted <- c.(*net.TCPConn)
				continue
			}
			work.Go(func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		close := func() {
			for {
				select {
				case c := <-s.accepted:
					c.Close()
				default:
					return
				}
			}
		}
		close()
		work.Wait()
		close()
	})
	return s
}

func (s *server) addr() string { return s.Addr().String() }

// next is the next connection of a server.
func (s *server) next(t *testing.T) *net.TCPConn {
	t.Helper()
	select {
	case c := <-s.accepted:
		t.Cleanup(func() { c.Close() })
		return c
	case <-time.After(patience):
		t.Fatal("no connection at the backend")
		return nil
	}
}

// unaccepted is the address of a listener with room for one client, who is not accepted.
func unaccepted(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*syscall.SockaddrInet4).Port)).String()
}

// echo answers with what it gets, and ends when that does.
func echo(c *net.TCPConn) {
	_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
	_ = c.CloseWrite()
}

// says is a server that says its name and ends.
func says(name string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		_, _ = io.WriteString(c, name)
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	}
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c net.Conn, text string) {
	t.Helper()
	b := make([]byte, len(text))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != text {
		t.Fatalf("got %q and %v, want %q", b[:n], err, text)
	}
}

// wantsEnd reads to the end, which has to be a clean one, and returns what came.
func wantsEnd(t *testing.T, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("after %q: %v, want the end of the stream", b, err)
	}
	return string(b)
}

func wantsReset(t *testing.T, c net.Conn) {
	t.Helper()
	if b, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after %q: %v, want a reset", b, err)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// line is a line of the access log.
type line struct {
	Client, Listener, Source, Route, Why, Name, Backend, Close, Refused, Error, Engine string

	EngineWhy string `json:"engine_why"`
	Duration  float64

	Up, Down uint64
}

// lines waits for n lines in the access log and returns them.
func (r *rig) lines(n int) []line {
	r.t.Helper()
	var list []line
	until(r.t, fmt.Sprintf("%d lines in the access log", n), func() bool {
		list = list[:0]
		for text := range strings.Lines(r.log.String()) {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				r.t.Fatalf("%s: %v", text, err)
			}
			list = append(list, l)
		}
		return len(list) >= n
	})
	if len(list) > n {
		r.t.Fatalf("got %d lines in the access log, want %d:\n%s", len(list), n, r.log.String())
	}
	return list
}

// ended waits for the only line.
func (r *rig) ended() line {
	r.t.Helper()
	return r.lines(1)[0]
}
