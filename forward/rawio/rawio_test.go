//go:build unix

package rawio

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

func TestCalls(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			to := l.Addr().(*net.TCPAddr).AddrPort()
			fd := connectTo(t, to)
			defer syscall.Close(fd)
			peer, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			_ = peer.SetDeadline(time.Now().Add(10 * time.Second))

			b := make([]byte, 10)
			if n, err := Read(fd, b); n != 0 || err != syscall.EAGAIN {
				t.Errorf("read of nothing: %d bytes and %v, want EAGAIN", n, err)
			}
			if n, err := Write(fd, []byte("hello")); n != 5 || err != nil {
				t.Errorf("write: %d bytes and %v", n, err)
			}
			if err := CloseWrite(fd); err != nil {
				t.Errorf("close write: %v", err)
			}
			if got, err := io.ReadAll(peer); string(got) != "hello" || err != nil {
				t.Errorf("the peer got %q and %v", got, err)
			}
			if _, err := peer.Write([]byte("world")); err != nil {
				t.Fatal(err)
			}
			if n, err := readSoon(fd, b); string(b[:n]) != "world" || err != nil {
				t.Errorf("read %q and %v", b[:n], err)
			}
			peer.Close()
			if n, err := readSoon(fd, b); n != 0 || err != nil {
				t.Errorf("read of the end: %d bytes and %v", n, err)
			}
			if n, err := Write(fd, b); n != 0 || err != syscall.EPIPE {
				t.Errorf("write after the end: %d bytes and %v, want EPIPE", n, err)
			}
			if _, err := Read(-1, b); err != syscall.EBADF {
				t.Errorf("read of no file: %v, want EBADF", err)
			}
		})
	}
}

// connectTo returns a socket that is connected.
func connectTo(t *testing.T, to netip.AddrPort) int {
	t.Helper()
	family := syscall.AF_INET6
	if to.Addr().Is4() {
		family = syscall.AF_INET
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		switch err := Connect(fd, to); {
		case err == nil, err == syscall.EISCONN:
			return fd
		case err != syscall.EINPROGRESS && err != syscall.EALREADY || time.Now().After(deadline):
			t.Fatal(err)
		}
	}
}

func readSoon(fd int, b []byte) (n int, err error) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if n, err = Read(fd, b); !errors.Is(err, syscall.EAGAIN) {
			break
		}
	}
	return n, err
}

func TestConnectRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := Connect(fd, to); err != syscall.ECONNREFUSED {
		t.Errorf("got %v, want ECONNREFUSED", err)
	}
}
