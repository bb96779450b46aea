//go:build linux

// Package watchtest is what all watchers have to pass: the same connections give the
// same events. The service that is watched is the test binary itself, in a process and
// a cgroup of its own:
//
//	func TestMain(m *testing.M) {
//		watchtest.Serve()
//		testkit.Main(m)
//	}
package watchtest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/waggle-bpf/waggle/idle/watch/sockets"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
)

// serviceEnv marks the process that is to be the service.
const serviceEnv = "WAGGLE_TEST_SERVICE"

// Serve makes this process the service if it is meant to be that.
func Serve() {
	if os.Getenv(serviceEnv) == "1" {
		serve()
		os.Exit(0)
	}
}

// NeedDiag stops the test where the kernel does not answer about sockets: the machine
// of package vm has no module for it.
func NeedDiag(t testing.TB) {
	t.Helper()
	d, err := sockets.OpenDiag()
	if err == nil {
		err = d.Close()
	} else {
		err = fmt.Errorf("%w (%w)", err, load.ErrNotSupported)
	}
	testkit.Need(t, err, testkit.Absence{Reason: "no module tcp_diag", Absent: testkit.InVM})
}

// Service is a process that serves.
type Service struct {
	Cgroup string
	PID    int
	// Dual is where it listens for IPv4 and IPv6, V4 for IPv4 alone; and Other is
	// not to be watched.
	Dual, V4, Other netip.AddrPort
}

// Ports are the ports to watch.
func (s *Service) Ports() []uint16 { return []uint16{s.Dual.Port(), s.V4.Port()} }

// Start starts a service in a cgroup of its own.
func Start(t testing.TB) *Service {
	t.Helper()
	group := testkit.NewCgroup(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), serviceEnv+"=1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	group.Use(t, cmd)
	stdin, err := cmd.StdinPipe() // it ends when that is closed
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("service: %v", err)
		}
	})
	s := &Service{Cgroup: group.Path, PID: cmd.Process.Pid}
	lines := bufio.NewScanner(stdout)
	for _, addr := range []*netip.AddrPort{&s.Dual, &s.V4, &s.Other} {
		if !lines.Scan() {
			t.Fatalf("the service does not serve: %v", lines.Err())
		}
		*addr = netip.MustParseAddrPort(lines.Text())
	}
	return s
}

// serve is the service's life.
func serve() {
	for _, at := range []string{"tcp [::]:0", "tcp4 127.0.0.1:0", "tcp [::]:0"} {
		network, addr, _ := strings.Cut(at, " ")
		l, err := net.Listen(network, addr)
		if err != nil {
			fmt.Fprintln(os.Stderr, "service:", err)
			os.Exit(1)
		}
		fmt.Println(l.Addr())
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go answer(c)
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// request is what a client asks for in its first bytes.
type request struct {
	Upload, Download uint32 // bytes behind the request, and in the answer
	End              end
}

// end is how a connection ends.
type end uint32

const (
	byClient  end = iota
	byService     // when another connection says so
	sayingSo
)

// ends lets the service close a connection.
var ends = make(chan bool)

var requestLen = binary.Size(request{})

// answer serves a connection.
func answer(c net.Conn) {
	defer c.Close()
	var r request
	if binary.Read(c, binary.BigEndian, &r) != nil {
		return
	}
	if _, err := io.CopyN(io.Discard, c, int64(r.Upload)); err != nil {
		return
	}
	if _, err := c.Write(make([]byte, r.Download)); err != nil {
		return
	}
	switch r.End {
	case byClient:
		_, _ = io.Copy(io.Discard, c)
	case byService:
		<-ends
	case sayingSo:
		ends <- true
	}
}
