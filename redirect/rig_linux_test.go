package redirect_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/redirect"
)

// patience is how long to wait for what should come soon.
const patience = 30 * time.Second

// start begins a session for a group that the test process joins.
func start(t *testing.T, o redirect.Options) *redirect.Session {
	t.Helper()
	group := testkit.NewCgroup(t)
	s := startFor(t, group, o)
	group.Join(t)
	return s
}

// startFor begins a session for a group; it ends with the test.
func startFor(t *testing.T, group *testkit.Cgroup, o redirect.Options) *redirect.Session {
	t.Helper()
	o.Cgroups = append(o.Cgroups, group.Path)
	o.Notice = func(text string) { t.Log("notice:", text) }
	s, err := redirect.Start(o)
	testkit.Need(t, err)
	t.Cleanup(func() {
		sum, err := s.Close()
		if err != nil {
			t.Error(err)
		}
		if len(sum.Faults) > 0 {
			t.Errorf("faults: %v", sum.Faults)
		}
		t.Log(sum.String())
	})
	return s
}

func summary(t *testing.T, s *redirect.Session) redirect.Summary {
	t.Helper()
	sum, err := s.Summary()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// listener makes connections over loopback: plain TCP, not multipath.
type listener struct{ net.Listener }

func listen(t *testing.T, addr string) listener {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return listener{l}
}

// connect returns both ends of a connection, which are closed when the test ends.
func (l listener) connect(t *testing.T) (dialed, accepted *net.TCPConn) {
	t.Helper()
	d, a, err := l.pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close(); a.Close() })
	return d, a
}

func (l listener) pair() (dialed, accepted *net.TCPConn, err error) {
	d, err := net.DialTimeout("tcp", l.Addr().String(), patience)
	if err != nil {
		return nil, nil, err
	}
	a, err := l.Accept()
	if err != nil {
		d.Close()
		return nil, nil, err
	}
	return d.(*net.TCPConn), a.(*net.TCPConn), nil
}

// say sends a text and hears it at the other end.
func say(from, to net.Conn, text string) error {
	if _, err := io.WriteString(from, text); err != nil {
		return err
	}
	if err := to.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(to, got); err != nil {
		return fmt.Errorf("hear %q: %w", text, err)
	}
	if string(got) != text {
		return fmt.Errorf("said %q, heard %q", text, got)
	}
	return nil
}

// converse lets both ends say something in turn.
func converse(a, b net.Conn, turns int) error {
	for i := range turns {
		if err := say(a, b, fmt.Sprintf("question %d", i)); err != nil {
			return err
		}
		if err := say(b, a, fmt.Sprintf("answer %d", i)); err != nil {
			return err
		}
	}
	return nil
}

func mustConverse(t *testing.T, a, b net.Conn, turns int) {
	t.Helper()
	if err := converse(a, b, turns); err != nil {
		t.Fatal(err)
	}
}
