//go:build unix

package handover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// successorEnv makes the test binary a successor that does as it says.
const successorEnv = "WAGGLE_TEST_SUCCESSOR"

func TestMain(m *testing.M) {
	switch os.Getenv(successorEnv) {
	case "":
		testkit.Main(m)
	case "first":
		s, err := Start()
		fmt.Println(s, err)
		os.Exit(0)
	case "ends":
		os.Exit(7)
	case "waits":
		if !Wanted() || Wanted() || os.Getenv("WATCHDOG_PID") != "" {
			os.Exit(8)
		}
		time.Sleep(time.Hour)
	}
}

const patience = 20 * time.Second

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// wire returns the two ends of a Unix socket.
func wire(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "wire")
		c, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1]
}

// TestPass hands over so many listeners that they need several messages. A client that
// was waiting at one of them is served by the other process.
func TestPass(t *testing.T) {
	var listeners []*net.TCPListener
	for range 2*perMessage + 3 {
		listeners = append(listeners, listen(t))
	}
	last := listeners[len(listeners)-1]
	client, err := net.Dial("tcp", last.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	a, b := wire(t)
	sent := make(chan error, 1)
	go func() { sent <- Send(a, listeners) }()
	got, err := Receive(b, len(listeners))
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(got)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	for i, l := range got {
		if l.Addr().String() != listeners[i].Addr().String() {
			t.Errorf("listener %d is at %s, want %s", i, l.Addr(), listeners[i].Addr())
		}
	}
	if err := closeAll(listeners); err != nil {
		t.Fatal(err)
	}
	_ = got[len(got)-1].SetDeadline(time.Now().Add(patience))
	server, err := got[len(got)-1].Accept()
	if err != nil {
		t.Fatalf("accept the client that waited: %v", err)
	}
	server.Close()
}

// TestSenderGoesOn: the descriptors are shared, and with them whether they block. The
// sender's must not begin to.
func TestSenderGoesOn(t *testing.T) {
	l := listen(t)
	a, b := wire(t)
	if err := Send(a, []*net.TCPListener{l}); err != nil {
		t.Fatal(err)
	}
	got, err := Receive(b, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(got)
	for _, l := range []*net.TCPListener{l, got[0]} {
		raw, err := l.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.Control(func(fd uintptr) {
			if flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
				t.Errorf("the listener blocks (flags %#x, %v)", flags, err)
			}
		})
	}
}

func TestReceiveErrors(t *testing.T) {
	t.Run("hung up", func(t *testing.T) {
		a, b := wire(t)
		if err := Send(a, []*net.TCPListener{listen(t)}); err != nil {
			t.Fatal(err)
		}
		a.Close()
		if _, err := Receive(b, 2); err == nil || !strings.Contains(err.Error(), "hung up") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no descriptors", func(t *testing.T) {
		a, b := wire(t)
		if _, err := a.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := Receive(b, 1); err == nil || !strings.Contains(err.Error(), "got 0 of 1") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no listener", func(t *testing.T) {
		a, b := wire(t)
		if _, _, err := a.WriteMsgUnix([]byte{1}, unix.UnixRights(0), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := Receive(b, 1); err == nil {
			t.Error("no error")
		}
	})
}

// TestInherited pretends to be started by systemd. The descriptors are moved to where
// systemd would put them, if nothing is there.
func TestInherited(t *testing.T) {
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()+1))
	t.Setenv("LISTEN_FDS", "1")
	if list, err := Inherited(); list != nil || err != nil {
		t.Errorf("another process's: got %v and %v", list, err)
	}
	if os.Getenv("LISTEN_FDS") != "" {
		t.Error("LISTEN_FDS is still there")
	}
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	t.Setenv("LISTEN_FDS", "many")
	if _, err := Inherited(); err == nil {
		t.Error("no error for LISTEN_FDS=many")
	}
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	t.Setenv("LISTEN_FDS", "0")
	if list, err := Inherited(); len(list) != 0 || err != nil {
		t.Errorf("none: got %v and %v", list, err)
	}
}

func TestNotify(t *testing.T) {
	if err := Notify(Ready); err != nil {
		t.Errorf("without a service manager: %v", err)
	}
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := Notify(MainPID(42), Ready); err != nil {
		t.Fatal(err)
	}
	_ = manager.SetDeadline(time.Now().Add(patience))
	b := make([]byte, 100)
	n, err := manager.Read(b)
	if err != nil || string(b[:n]) != "MAINPID=42\nREADY=1" {
		t.Errorf("got %q and %v", b[:n], err)
	}
	t.Setenv("NOTIFY_SOCKET", path+"-gone")
	if err := Notify(Ready); err == nil {
		t.Error("no error for a socket that isn't there")
	}
}

func TestWatchdog(t *testing.T) {
	for _, test := range []struct {
		pid, usec string
		want      time.Duration
	}{
		{"", "", 0},
		{"", "30000000", 15 * time.Second},
		{fmt.Sprint(os.Getpid()), "2000", time.Millisecond},
		{"1", "30000000", 0},
		{"", "often", 0},
	} {
		t.Setenv("WATCHDOG_PID", test.pid)
		t.Setenv("WATCHDOG_USEC", test.usec)
		if got := Watchdog(); got != test.want {
			t.Errorf("WATCHDOG_PID=%s WATCHDOG_USEC=%s: got %v, want %v", test.pid, test.usec, got, test.want)
		}
	}
}

func TestSuccessor(t *testing.T) {
	t.Run("serves", func(t *testing.T) {
		t.Setenv(successorEnv, "waits")
		t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
		s, err := Start()
		if err != nil {
			t.Fatal(err)
		}
		ready := make(chan struct{})
		close(ready)
		if err := s.Await(t.Context(), ready); err != nil {
			t.Error(err)
		}
		// It is still there, until it is told to go.
		ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("enough"))
		defer cancel()
		if err := s.Await(ctx, nil); err == nil || !strings.Contains(err.Error(), "does not take over") || !strings.Contains(err.Error(), "enough") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("ends", func(t *testing.T) {
		t.Setenv(successorEnv, "ends")
		s, err := Start()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Await(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "has ended: exit status 7") {
			t.Errorf("got %v", err)
		}
	})
}
