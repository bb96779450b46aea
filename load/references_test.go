package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// connect makes a TCP connection over loopback.
func connect(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = l.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

// TestSocketMap sends through a socket in a map whose program counts messages.
func TestSocketMap(t *testing.T) {
	h := loadObject(t, openObject(t, "hooks.o"), Options{Programs: []string{"on_msg"}})
	sockets, err := SocketMapOf[uint32](h, "sockets")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Attach("on_msg", Target{}); err != nil {
		t.Fatal(err)
	}
	runs, err := MapOf[uint32, uint64](h, "runs")
	if err != nil {
		t.Fatal(err)
	}
	client, server := connect(t)
	if err := sockets.Put(7, client); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(client, "seen"); err != nil {
		t.Fatal(err)
	}
	if err := sockets.Delete(7); err != nil {
		t.Fatal(err)
	}
	if err := sockets.Delete(7); !errors.Is(err, ErrNoKey) {
		t.Errorf("delete again: %v", err)
	}
	if _, err := io.WriteString(client, "unseen"); err != nil {
		t.Fatal(err)
	}
	const msg = 9 // MSG in testdata/hooks.c
	if n, err := runs.Get(msg); n != 1 || err != nil {
		t.Errorf("program ran %d times, %v; want once", n, err)
	}
	if _, err := io.ReadFull(server, make([]byte, len("seenunseen"))); err != nil {
		t.Error(err)
	}
}

func TestSocketMapRefuses(t *testing.T) {
	h := loadObject(t, openObject(t, "hooks.o"), Options{Programs: []string{"on_msg"}})
	if _, err := SocketMapOf[uint64](h, "sockets"); err == nil || !strings.HasPrefix(err.Error(), "open map sockets: key: ") {
		t.Errorf("key of another size: %v", err)
	}
	if _, err := SocketMapOf[uint32](h, "runs"); err == nil || !strings.Contains(err.Error(), "holds no sockets") {
		t.Errorf("map of another type: %v", err)
	}
	sockets, err := SocketMapOf[uint32](h, "sockets")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: "@" + t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := sockets.Put(1, l); !errors.Is(err, syscall.EOPNOTSUPP) || !strings.Contains(err.Error(), "write map sockets: ") {
		t.Errorf("put a socket of another kind: %v", err)
	}
	client, _ := connect(t)
	client.Close()
	if err := sockets.Put(1, client); !errors.Is(err, net.ErrClosed) {
		t.Errorf("put a closed socket: %v", err)
	}
}

var noMPTCP = testkit.Absence{Reason: "kernel without multipath TCP", Absent: func() bool {
	enabled, err := os.ReadFile("/proc/sys/net/mptcp/enabled")
	return err != nil || string(enabled) != "1\n"
}}

// TestSocketMapMultipath puts both ends of a multipath TCP connection into a map.
func TestSocketMapMultipath(t *testing.T) {
	h := loadObject(t, openObject(t, "hooks.o"), Options{Programs: []string{"on_msg"}})
	sockets, err := SocketMapOf[uint32](h, "sockets")
	if err != nil {
		t.Fatal(err)
	}
	var listen net.ListenConfig
	listen.SetMultipathTCP(true)
	l, err := listen.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var dial net.Dialer
	dial.SetMultipathTCP(true)
	client, err := dial.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if is, err := client.(*net.TCPConn).MultipathTCP(); !is {
		testkit.Need(t, errors.Join(fmt.Errorf("the connection is not multipath TCP: %w", ErrNotSupported), err), noMPTCP)
	}
	for _, s := range []net.Conn{client, server} {
		err := sockets.Put(1, s.(*net.TCPConn))
		if !errors.Is(err, syscall.EOPNOTSUPP) || !strings.Contains(err.Error(), "SetMultipathTCP(false)") {
			t.Errorf("put a multipath TCP socket: %v", err)
		}
	}
}

func TestProgramMap(t *testing.T) {
	h := loadObject(t, openObject(t, "maps.o"), Options{PinPath: pinDir(t)})
	if _, err := ProgramMapOf(h, "flows"); err == nil || !strings.Contains(err.Error(), "holds no programs") {
		t.Errorf("map of another type: %v", err)
	}
	next, err := ProgramMapOf(h, "next")
	if err != nil {
		t.Fatal(err)
	}
	// What main_prog returns tells whether its tail call led anywhere.
	there := run(t, h, "main_prog", 1)
	if err := next.Delete(1); err != nil {
		t.Fatal(err)
	}
	if err := next.Delete(1); !errors.Is(err, ErrNoKey) {
		t.Errorf("delete again: %v", err)
	}
	if got := run(t, h, "main_prog", 1); got == there {
		t.Errorf("main_prog returned %d with and without a program to call", got)
	}
	if err := next.Put(1, "tail"); err != nil {
		t.Fatal(err)
	}
	if got := run(t, h, "main_prog", 1); got != there {
		t.Errorf("main_prog returned %d with the program back in place, not %d", got, there)
	}
	if err := next.Put(1, "missing"); err == nil || !strings.Contains(err.Error(), `no program "missing"`) {
		t.Errorf("put an unknown program: %v", err)
	}
	if err := next.Put(2, "tail"); err == nil || !strings.Contains(err.Error(), "write map next: program tail at 2: ") {
		t.Errorf("put beyond the end: %v", err)
	}
}
