package wake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/forward/accesslog"
	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patience is how long to wait for what should come soon.
const patience = 20 * time.Second

// server is a target: it listens while it runs, and counts what is done to it.
type server struct {
	addr  string
	delay time.Duration      // of a start
	serve func(*net.TCPConn) // a client
	fail  atomic.Pointer[error]

	starts, stops atomic.Int32
	busy          atomic.Int32 // starts and stops under way

	mu       sync.Mutex
	listener net.Listener
	exited   chan error // of the run there is
	conns    map[net.Conn]bool
	work     sync.WaitGroup
}

// newServer returns a target that does not run, at a port that nobody else gets.
func newServer(t *testing.T, serve func(*net.TCPConn)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: l.Addr().String(), serve: serve, conns: make(map[net.Conn]bool)}
	l.Close()
	t.Cleanup(func() {
		s.down()
		s.work.Wait()
	})
	return s
}

func (s *server) Start(ctx context.Context) error {
	if s.busy.Add(1) > 1 {
		return errors.New("BUG: another start or stop is under way")
	}
	defer s.busy.Add(-1)
	s.starts.Add(1)
	if err := s.fail.Load(); err != nil && *err != nil {
		return *err
	}
	go func() {
		select {
		case <-time.After(s.delay):
			_ = s.up()
		case <-ctx.Done():
		}
	}()
	if s.delay == 0 {
		return s.up()
	}
	return nil
}

func (s *server) up() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	s.listener, s.exited = l, make(chan error, 1)
	s.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[c] = true
			s.mu.Unlock()
			s.work.Go(func() {
				s.serve(c.(*net.TCPConn))
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
				c.Close()
			})
		}
	})
	return nil
}

// Stop ends the target as if its process was killed: who is connected is cut off.
func (s *server) Stop(context.Context) error {
	if s.busy.Add(1) > 1 {
		return errors.New("BUG: another start or stop is under way")
	}
	defer s.busy.Add(-1)
	s.stops.Add(1)
	s.down()
	return nil
}

func (s *server) down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return
	}
	s.listener.Close()
	s.listener = nil
	for c := range s.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}

// Wait is that of a target that is a process.
func (s *server) Wait(ctx context.Context) error {
	s.mu.Lock()
	exited := s.exited
	s.mu.Unlock()
	select {
	case err := <-exited:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// die ends the target by itself.
func (s *server) die(err error) {
	s.down()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exited <- err
}

// echo answers with what it gets, and ends when that does.
func echo(c *net.TCPConn) {
	_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
	_ = c.CloseWrite()
}

// pickyHTTP is a server of HTTP that wants a greeting before the request, and some more
// bytes behind that.
func pickyHTTP(greeting string, more int) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		said := make([]byte, len(greeting)+more+len("GET "))
		_, err := io.ReadFull(c, said)
		if err == nil && strings.HasPrefix(string(said), greeting) && strings.HasSuffix(string(said), "GET ") {
			_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	}
}

// newHTTP serves until the test ends, and returns where.
func newHTTP(t *testing.T, h http.Handler) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		s.Close()
	})
	return s.URL
}

// rig is a Waker behind a forwarder.
type rig struct {
	t *testing.T
	*Waker
	f    *forward.Forwarder
	quit sync.Once

	mu      sync.Mutex
	log     bytes.Buffer // of the forwarder
	notices []string
}

func (r *rig) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(b)
}

// start lets a Waker look after a target.
func start(t *testing.T, s *server, change func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t}
	probe, err := ParseProbe("tcp", s.addr, config.NoProxy)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Start: s, Stop: s, Probe: probe,
		Timeout: patience, StopTimeout: patience, Held: 1000, CleanUp: true, End: true,
		Notice: func(format string, args ...any) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.notices = append(r.notices, fmt.Sprintf(format, args...))
		},
	}
	if change != nil {
		change(&o)
	}
	r.Waker = New(o)
	c := config.Default()
	c.Persist = false
	c.AccessLog = &config.AccessLog{Path: "-", Format: accesslog.Text}
	g := &config.Group{Config: backend.Config{Name: "target", Targets: []backend.Target{{Address: s.addr}}}}
	c.Groups = []*config.Group{g}
	c.Listeners = []*config.Listener{{Name: "front", Address: netip.MustParseAddrPort("127.0.0.1:0"), Engine: "splice", Default: g}}
	r.f, err = forward.New(c, forward.Options{Gate: r.Waker, Output: r})
	if err != nil {
		t.Fatal(err)
	}
	r.Begin()
	t.Cleanup(func() {
		r.finish()
		if t.Failed() {
			t.Logf("notices:\n%s\naccess log:\n%s", strings.Join(last(r.notices, 30), "\n"), strings.Join(last(strings.Split(r.log.String(), "\n"), 20), "\n"))
		}
	})
	// The first look is before the first client in all tests.
	r.until("the target was looked for", func() bool { return r.State() != Starting })
	return r
}

func last(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

// finish ends both.
func (r *rig) finish() {
	r.quit.Do(func() {
		r.Quit()
		r.f.Drain(time.Second, false)
		if err := r.f.Close(); err != nil {
			r.t.Error(err)
		}
		select {
		case <-r.Done():
		case <-time.After(patience):
			r.t.Error("the waker does not end")
		}
	})
}

func (r *rig) until(what string, holds func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("never: %s", what)
		}
	}
}

// noticed waits for a notice.
func (r *rig) noticed(text string) {
	r.t.Helper()
	r.until("the notice "+text, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return strings.Contains(strings.Join(r.notices, "\n"), text)
	})
}

// logged waits for a text in the access log.
func (r *rig) logged(text string) {
	r.t.Helper()
	r.until("in the access log "+text, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return strings.Contains(r.log.String(), text)
	})
}

// waits waits for as many clients to be held.
func (r *rig) waits(n int) {
	r.t.Helper()
	r.until(fmt.Sprintf("%d clients wait", n), func() bool { return r.Held() == n })
}

func (r *rig) dial() *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.f.Addrs()[0].String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// talks is a whole conversation with a server that echoes.
func talks(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if err := says(c, "hello"); err != nil {
		return err
	}
	_ = c.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil {
		return fmt.Errorf("the end: %q and %v", rest, err)
	}
	return nil
}

func says(c net.Conn, text string) error {
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != text {
		return fmt.Errorf("got %q and %v, want %q", got[:n], err, text)
	}
	return nil
}

func wantsReset(t *testing.T, c net.Conn) {
	t.Helper()
	if got, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after %q: %v, want a reset", got, err)
	}
}
