package sockmap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/copy"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// session is a pair and what lies at both ends of it.
type session struct {
	client, backend *net.TCPConn
	pair            *engine.Pair
	result          chan engine.End
}

func newSession(t *testing.T) *session {
	t.Helper()
	s := &session{result: make(chan engine.End, 1)}
	var in, out *net.TCPConn
	if err := errors.Join(connect(&s.client, &in), connect(&out, &s.backend)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.client.Close(); s.backend.Close() })
	s.pair = engine.NewPair(in, out)
	return s
}

// forward forwards and then closes the pair's connections.
func (s *session) forward(e engine.Engine) {
	go func() {
		end := e.Forward(s.pair)
		s.pair.Client.Close()
		s.pair.Backend.Close()
		s.result <- end
	}()
}

func (s *session) wants(t *testing.T, cause engine.Cause) {
	t.Helper()
	select {
	case end := <-s.result:
		if end.Cause != cause {
			t.Errorf("got cause %q (%v), want %q", end.Cause, end.Err, cause)
		}
	case <-time.After(patience):
		t.Fatal("Forward does not return")
	}
}

// refused wants the engine to refuse the pair with a reason and everything to be as
// it was: another engine does the rest.
func (s *session) refused(t *testing.T, e *Engine, reason string) {
	t.Helper()
	const early = "before "
	if _, err := io.WriteString(s.client, early); err != nil {
		t.Fatal(err)
	}
	end := e.Forward(s.pair)
	if r, ok := end.Refused(); !ok || r.Reason != reason {
		t.Errorf("got %+v, want a refusal: %s", end, reason)
	}
	if n := s.pair.Moved(engine.Up); n != 0 {
		t.Errorf("moved %d bytes all the same", n)
	}
	s.forward(copy.New())
	if _, err := io.WriteString(s.client, "after"); err != nil {
		t.Fatal(err)
	}
	hears(t, s.backend, early+"after")
	s.pair.Abort(engine.Shutdown)
	s.wants(t, engine.Shutdown)
}

func hears(t *testing.T, c *net.TCPConn, text string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, len(text))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("got %q, %v, want %q", got[:n], err, text)
	}
}

// speaks sends a word and hears it at the other end.
func speaks(t *testing.T, from, to *net.TCPConn, text string) {
	t.Helper()
	if _, err := io.WriteString(from, text); err != nil {
		t.Fatal(err)
	}
	hears(t, to, text)
}

// TestRedirects: once a pair is in the map, small messages pass user space by.
func TestRedirects(t *testing.T) {
	need(t)
	e := open(t)
	defer e.Close()
	s := newSession(t)
	s.forward(e)
	const rounds, text = 2000, "a message of no great length"
	for range rounds {
		speaks(t, s.client, s.backend, text)
		speaks(t, s.backend, s.client, text)
	}
	if got := s.pair.State(); got.Engine != Name {
		t.Errorf("got state %+v", got)
	}
	if got := e.Stats(); got.Active != 1 {
		t.Errorf("got %+v, want a pair to be active", got)
	}
	s.pair.Abort(engine.Shutdown)
	s.wants(t, engine.Shutdown)
	got := e.Stats()
	if total := uint64(2 * rounds * len(text)); got.Redirected+got.Copied != total || got.Copied > total/20 {
		t.Errorf("got %+v, want %d bytes in all, few of them copied", got, total)
	}
	if got.Enrolled != 1 || got.Active != 0 {
		t.Errorf("got %+v, want a pair that has ended", got)
	}
}

// TestListenAgain: to ask a socket for its sequence numbers takes SO_REUSEADDR away,
// and then its port is taken as long as it lives.
func TestListenAgain(t *testing.T) {
	need(t)
	e := open(t)
	defer e.Close()
	s := newSession(t)
	s.forward(e)
	speaks(t, s.client, s.backend, "there")
	l, err := net.Listen("tcp", s.pair.Client.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s.pair.Abort(engine.Shutdown)
	s.wants(t, engine.Shutdown)
}

// TestValve: with small send buffers the valve closes again and again, which is where
// data could overtake other data. The stream's bytes are compared.
func TestValve(t *testing.T) {
	need(t)
	e := open(t)
	defer e.Close()
	const size = 1 << 20
	pace := func(longest int) stream.Pace {
		return stream.Pace{Min: 1, Max: longest, Pause: 100 * time.Microsecond, Every: 4}
	}
	for seed := range uint64(4) {
		s := newSession(t)
		for _, c := range []*net.TCPConn{s.pair.Client, s.pair.Backend} {
			_ = c.SetWriteBuffer(16 << 10)
		}
		s.forward(e)
		script := stream.Script{
			Seed:   seed,
			Client: stream.Side{Size: size, Write: pace(4 << 10), Read: stream.Ragged},
			Server: stream.Side{Size: size, Write: pace(16 << 10), Read: stream.Halting},
		}
		if err := script.Run(s.client, s.backend, time.Minute); err != nil {
			t.Fatal(err)
		}
		if end := <-s.result; end.Err != nil {
			t.Fatal(end.Err)
		}
	}
	got := e.Stats()
	t.Logf("%+v", got)
	const all, some = 8 * size, 8 * size / 20
	if got.Redirected < some || got.Copied < some || got.Redirected+got.Copied != all {
		t.Errorf("got %+v, want some of %d bytes redirected and some copied", got, all)
	}
}

func TestRefusesWhenFull(t *testing.T) {
	need(t)
	e, err := New(Options{MaxPairs: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	first := newSession(t)
	first.forward(e)
	speaks(t, first.client, first.backend, "there")
	newSession(t).refused(t, e, "socket map full")
	first.pair.Abort(engine.Shutdown)
	first.wants(t, engine.Shutdown)

	next := newSession(t)
	next.forward(e)
	speaks(t, next.client, next.backend, "there")
	next.pair.Abort(engine.Shutdown)
	next.wants(t, engine.Shutdown)
}

// TestRefusesOthers: a socket obeys one map's program only.
func TestRefusesOthers(t *testing.T) {
	need(t)
	e, other := open(t), open(t)
	defer e.Close()
	defer other.Close()
	s := newSession(t)
	if err := other.kernel.Sockets.Put(0, s.pair.Client); err != nil {
		t.Fatal(err)
	}
	s.refused(t, e, "in another socket map")
}

// TestAlone: when the client is in the map and the backend can't be, it is too late
// to refuse. The pair is copied.
func TestAlone(t *testing.T) {
	need(t)
	e, other := open(t), open(t)
	defer e.Close()
	defer other.Close()
	s := newSession(t)
	if err := other.kernel.Sockets.Put(0, s.pair.Backend); err != nil {
		t.Fatal(err)
	}
	s.forward(e)
	script := stream.Script{Seed: 1, Client: stream.Side{Size: 1 << 20}, Server: stream.Side{Size: 1 << 20, Start: 1 << 20, EndAt: stream.AfterEnd}}
	if err := script.Run(s.client, s.backend, patience); err != nil {
		t.Error(err)
	}
	s.wants(t, engine.ClientClosed)
	if why := s.pair.State().Why; !strings.HasPrefix(why, "copies: backend's connection: ") {
		t.Errorf("got state %q", why)
	}
	if got := e.Stats(); got.Redirected != 0 || got.Copied != 2<<20 {
		t.Errorf("got %+v, want all copied", got)
	}
}

func TestRefusesKernelTLS(t *testing.T) {
	need(t)
	e := open(t)
	defer e.Close()
	s := newSession(t)
	raw, err := s.pair.Backend.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = (&end{raw: raw}).control(func(fd int) error {
		return unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_ULP, "tls")
	})
	if errors.Is(err, unix.ENOENT) {
		err = fmt.Errorf("%w: %w", err, ebpf.ErrNotSupported)
	}
	testkit.Need(t, err, absent("without kernel TLS", "/proc/net/tls_stat"))
	s.refused(t, e, "kernel TLS")
}

func TestRefusesMPTCP(t *testing.T) {
	need(t)
	e := open(t)
	defer e.Close()
	s := newSession(t)
	var config net.ListenConfig
	config.SetMultipathTCP(true)
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var dialer net.Dialer
	dialer.SetMultipathTCP(true)
	c, err := dialer.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	multipath, err := accepted.(*net.TCPConn).MultipathTCP()
	if !multipath {
		err = fmt.Errorf("connection is not multipath: %w", ebpf.ErrNotSupported)
	}
	testkit.Need(t, err, absent("without MPTCP", "/proc/sys/net/mptcp"))
	s.pair.Client.Close()
	s.client, s.pair.Client = c.(*net.TCPConn), accepted.(*net.TCPConn)
	s.refused(t, e, "MPTCP")
}

// absent explains that a kernel was built without something, by a file it lacks.
func absent(built, path string) testkit.Absence {
	return testkit.Absence{Reason: "kernel built " + built, Absent: func() bool {
		_, err := os.Stat(path)
		return errors.Is(err, os.ErrNotExist)
	}}
}

func TestVersions(t *testing.T) {
	for release, want := range map[string]bool{
		"5.15.200":           false,
		"6.6.93":             false,
		"6.6.94":             true,
		"6.8.0-60-generic":   false,
		"6.12.33":            false,
		"6.12.85+deb13":      true,
		"6.15.9":             false,
		"6.16.0-rc1":         true,
		"6.18.44-1-amd64":    true,
		"7.0-rc1":            true,
		"7.0.0-22-generic":   true,
		"6.12.34-microsoft+": true,
	} {
		v, err := parseRelease(release)
		if err != nil {
			t.Error(err)
		}
		if got := goodKernel(v); got != want {
			t.Errorf("%s: got %v, want %v", release, got, want)
		}
	}
	for _, release := range []string{"", "linux", "6"} {
		if v, err := parseRelease(release); err == nil {
			t.Errorf("%q: got %v", release, v)
		}
	}
}
