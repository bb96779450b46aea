package admin

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fake is a forwarder that says what it is told to.
type fake struct {
	status    forward.Status
	listeners []*net.TCPListener
	err       error
	asked     int // the connections that a status was asked for with
	succeeded chan struct{}
}

func (f *fake) Status(connections int) *forward.Status {
	f.asked = connections
	return &f.status
}

func (f *fake) Upgrade(context.Context) (int, error)   { return 4711, f.err }
func (f *fake) Listeners() ([]*net.TCPListener, error) { return f.listeners, f.err }

func (f *fake) Succeeded() error {
	if f.err == nil {
		close(f.succeeded)
	}
	return f.err
}

func startServer(t *testing.T, f *fake) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dir", "admin.sock")
	f.status.PID = os.Getpid()
	f.succeeded = make(chan struct{})
	s, err := Serve(path, false, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return path
}

func TestStatus(t *testing.T) {
	f := &fake{status: forward.Status{Open: 3}}
	// More than one piece of a stream.
	for range 5000 {
		f.status.Connections = append(f.status.Connections, forward.ConnStatus{Phase: "forwarding", Why: "default"})
	}
	path := startServer(t, f)
	s, err := Status(path, 7)
	if err != nil {
		t.Fatal(err)
	}
	if s.Open != 3 || len(s.Connections) != 5000 || s.Connections[4999].Why != "default" || f.asked != 7 {
		t.Errorf("got %d open and %d connections, asked for %d", s.Open, len(s.Connections), f.asked)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has mode %v (%v)", info.Mode(), err)
	}
}

func TestUpgrade(t *testing.T) {
	if pid, err := Upgrade(startServer(t, &fake{})); pid != 4711 || err != nil {
		t.Errorf("got process %d and %v", pid, err)
	}
	if _, err := Upgrade(startServer(t, &fake{err: errors.New("upgrade: no")})); err == nil || err.Error() != "upgrade: no" {
		t.Errorf("got %v", err)
	}
}

func TestTakeOver(t *testing.T) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := &fake{listeners: []*net.TCPListener{l, l}}
	path := startServer(t, f)
	take, err := TakeOver(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(take.Listeners) != 2 || take.Listeners[1].Addr().String() != l.Addr().String() || take.PID != os.Getpid() {
		t.Errorf("got %+v", take)
	}
	for _, l := range take.Listeners {
		l.Close()
	}
	// The successor's socket is there already, but nobody finds it.
	next := &fake{status: forward.Status{PID: 1}, succeeded: make(chan struct{})}
	s, err := Serve(path, true, next)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if st, err := Status(path, 0); err != nil || st.PID != os.Getpid() {
		t.Errorf("before it is published: got %+v and %v", st, err)
	}
	if err := take.Ready(); err != nil {
		t.Error(err)
	}
	select {
	case <-f.succeeded:
	default:
		t.Error("the predecessor doesn't know")
	}
	if err := s.Publish(); err != nil {
		t.Fatal(err)
	}
	if st, err := Status(path, 0); err != nil || st.PID != 1 {
		t.Errorf("after it is published: got %+v and %v", st, err)
	}
}

// TestLeave: a server whose successor serves leaves the socket's name alone, which
// may be the successor's by then or not yet.
func TestLeave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	s, err := Serve(path, false, &fake{})
	if err != nil {
		t.Fatal(err)
	}
	s.Leave()
	s.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
	if _, err := Status(path, 0); err == nil {
		t.Error("somebody answers")
	}
	// Nor is it in the way of anybody.
	s, err = Serve(path, false, &fake{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// TestOldOneLeaves: a server that is closed takes its socket away, but not that of its
// successor.
func TestOldOneLeaves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	old, err := Serve(path, false, &fake{})
	if err != nil {
		t.Fatal(err)
	}
	next, err := Serve(path, true, &fake{status: forward.Status{PID: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Publish(); err != nil {
		t.Fatal(err)
	}
	old.Close()
	if st, err := Status(path, 0); err != nil || st.PID != 2 {
		t.Errorf("got %+v and %v", st, err)
	}
	next.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there (%v)", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestServeErrors(t *testing.T) {
	path := startServer(t, &fake{})
	var taken *InUseError
	if _, err := Serve(path, false, &fake{}); !errors.As(err, &taken) || taken.PID != os.Getpid() {
		t.Errorf("got %v", err)
	}
	if _, err := Serve("/proc/nowhere/admin.sock", false, &fake{}); err == nil {
		t.Error("no error for a directory that can't be")
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 200))
	if _, err := Serve(long, false, &fake{}); err == nil {
		t.Error("no error for a path that is too long")
	}
}

// TestAbandoned: a socket that a dead forwarder has left is no obstacle.
func TestAbandoned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := Status(path, 0); !errors.Is(err, ErrNone) {
		t.Errorf("got %v, want ErrNone", err)
	}
	s, err := Serve(path, false, &fake{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestForeignDirectory(t *testing.T) {
	testkit.RequireRoot(t)
	dir := t.TempDir()
	if err := os.Chown(dir, 4242, 4242); err != nil {
		t.Fatal(err)
	}
	_, err := Serve(filepath.Join(dir, "admin.sock"), false, &fake{})
	if err == nil || !strings.Contains(err.Error(), "belongs to user 4242") {
		t.Errorf("got %v", err)
	}
}

// TestNonsense: clients that don't keep to the protocol get an answer, and hurt nobody.
func TestNonsense(t *testing.T) {
	path := startServer(t, &fake{})
	for text, want := range map[string]string{
		"hello\n":               "read request",
		"{\"do\": \"dance\"}\n": `no request \"dance\"`,
	} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 200)
		n, err := c.Read(b)
		if err != nil || !strings.Contains(string(b[:n]), want) {
			t.Errorf("%q: got %q and %v, want %s", text, b[:n], err, want)
		}
	}
	if _, err := Status(path, 0); err != nil {
		t.Error(err)
	}
}

// TestCloseWaitsForAnswers: an upgrade ends with its answer, which the client gets
// although the server ends by it.
func TestCloseWaitsForAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	h := &slow{begun: make(chan struct{}), end: make(chan struct{})}
	s, err := Serve(path, false, h)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := Upgrade(path)
		answered <- err
	}()
	<-h.begun
	closed := make(chan struct{})
	go func() {
		s.Close()
		close(closed)
	}()
	close(h.end)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	<-closed
}

// slow upgrades slowly.
type slow struct {
	fake
	begun, end chan struct{}
}

func (s *slow) Upgrade(context.Context) (int, error) {
	close(s.begun)
	<-s.end
	return 1, nil
}
