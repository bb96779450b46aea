package packet

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// TestPortAgain: a client whose connection was spliced comes again from the same port,
// after it has reset the connection or has forgotten it. It gets to the forwarder, and
// never to the backend past it.
func TestPortAgain(t *testing.T) {
	for name, end := range map[string]func(*net.TCPConn) error{
		"reset":  func(c *net.TCPConn) error { return c.SetLinger(0) },
		"vanish": func(c *net.TCPConn) error { return option(c, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) },
	} {
		t.Run(name, func(t *testing.T) { testPortAgain(t, end) })
	}
}

func testPortAgain(t *testing.T, end func(*net.TCPConn) error) {
	e := start(t)
	front, back := listen(t), listen(t)
	accept := func(l *net.TCPListener) *net.TCPConn {
		c, err := l.AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	// meet forwards a connection of a client, and checks that it goes this way.
	meet := func(client *net.TCPConn) (ended chan engine.End) {
		near := accept(front)
		far, err := net.Dial("tcp4", back.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		backend := accept(back)
		if got, want := backend.RemoteAddr().String(), far.LocalAddr().String(); got != want {
			t.Fatalf("%s has got to the backend, not the forwarder from %s", got, want)
		}
		p := engine.NewPair(near, far.(*net.TCPConn))
		ended = run(t, e, p)
		for range 10 {
			exchange(t, client, backend, 100)
			exchange(t, backend, client, 1000)
		}
		if !e.find(p).spliced() {
			t.Error("not spliced")
		}
		return ended
	}

	first := dialFrom(t, 0, front)
	ended := meet(first)
	port := first.LocalAddr().(*net.TCPAddr).Port
	if err := errors.Join(end(first), first.Close()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	again := dialFrom(t, port, front)
	t.Logf("connected again after %v", time.Since(began).Round(time.Millisecond))
	if got := (<-ended).Cause; got != engine.ClientReset {
		t.Errorf("the first connection has ended with %q", got)
	}
	ended = meet(again)
	if err := errors.Join(again.SetLinger(0), again.Close()); err != nil {
		t.Fatal(err)
	}
	<-ended
}

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return l
}

// dialFrom connects from a port, 0 for any, to a listener.
func dialFrom(t *testing.T, port int, l *net.TCPListener) *net.TCPConn {
	t.Helper()
	d := net.Dialer{
		Timeout:   20 * time.Second,
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port},
		Control: func(_, _ string, c syscall.RawConn) (err error) {
			e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
			return errors.Join(e, err)
		},
	}
	c, err := d.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(fmt.Errorf("connect from port %d: %w", port, err))
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func option(c *net.TCPConn, level, name, value int) error {
	return control(c, func(fd int) error { return unix.SetsockoptInt(fd, level, name, value) })
}
