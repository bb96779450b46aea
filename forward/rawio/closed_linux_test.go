package rawio

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// TestClosed: a connection is over when it was reset, not when a stream has ended.
func TestClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fd := connectTo(t, l.Addr().(*net.TCPAddr).AddrPort())
	defer syscall.Close(fd)
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if Closed(fd) {
		t.Error("it is over before it has begun")
	}
	_ = peer.(*net.TCPConn).CloseWrite()
	if n, err := readSoon(fd, make([]byte, 1)); n != 0 || err != nil {
		t.Fatalf("got %d bytes and %v, want the end", n, err)
	}
	if Closed(fd) {
		t.Error("it is over though only one stream has ended")
	}
	_ = peer.(*net.TCPConn).SetLinger(0)
	peer.Close()
	for deadline := time.Now().Add(10 * time.Second); !Closed(fd); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is not over though it was reset")
		}
	}
}
