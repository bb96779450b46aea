package packet

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestReserve reserves the port of a connection that has gone.
func TestReserve(t *testing.T) {
	testkit.RequireRoot(t)
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		local, tuple := c.LocalAddr(), tupleOf(c.(*net.TCPConn))
		if r, err := reserve(&tuple); err == nil {
			r.close()
			t.Errorf("%v: reserved although the connection is there", addr)
		}
		if err := c.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		c.Close()
		checkReserved(t, l.Addr(), local, &tuple)
	}
}

// TestReserveOrphan reserves the port of a connection that was closed and can't say so,
// because its peer doesn't read what came before.
func TestReserveOrphan(t *testing.T) {
	testkit.RequireRoot(t)
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		tuple := tupleOf(c.(*net.TCPConn))
		if err := destroyOrphan(&tuple); err != errInUse {
			t.Errorf("%v: got %v from a connection that somebody has", addr, err)
		}
		for err == nil {
			_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			_, err = c.Write(make([]byte, 1<<20))
		}
		local := c.LocalAddr()
		c.Close()
		checkReserved(t, l.Addr(), local, &tuple)
	}
}

func checkReserved(t *testing.T, to, local net.Addr, tuple *kern.Tuple) {
	t.Helper()
	r, err := reserve(tuple)
	if err != nil {
		t.Fatal(err)
	}
	again := net.Dialer{LocalAddr: local}
	if c, err := again.Dial("tcp", to.String()); err == nil {
		c.Close()
		t.Errorf("%v: dialled although reserved", local)
	}
	r.close()
	c, err := again.Dial("tcp", to.String())
	if err != nil {
		t.Fatalf("%v: still reserved: %v", local, err)
	}
	c.Close()
}

// TestMonotonic compares the clock with the kernel's.
func TestMonotonic(t *testing.T) {
	for range 10 {
		var before, after unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &before)
		now := monotonic()
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &after)
		const drift = 100 * time.Microsecond // between the two that were read at the start
		if got := int64(now); got < before.Nano()-int64(drift) || got > after.Nano()+int64(drift) {
			t.Errorf("got %v between %v and %v", now, before.Nano(), after.Nano())
		}
	}
}
