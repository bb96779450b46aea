package packet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// TestFlush: connections whose forwarder was killed can be ended without another one,
// and nothing stays. What belongs to a forwarder that runs is left alone.
func TestFlush(t *testing.T) {
	const crowd = 10
	server := echo(t)
	killed := command.Start(t, "-to", server.Addr().String())
	var conns []net.Conn
	connect := func(addr string) net.Conn {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		return c
	}
	say := func(c net.Conn) (err error) {
		for range 10 {
			if _, err = io.WriteString(c, "hello"); err == nil {
				_, err = io.ReadFull(c, make([]byte, 5))
			}
		}
		return err
	}
	addr := killed.Expect(`listening on (\S+)`)[1]
	for range crowd {
		c := connect(addr)
		if err := say(c); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	killed.Expect(fmt.Sprintf("switched %d ", crowd))
	killed.Kill()
	// Pins of a version that nobody knows.
	dirs, err := filepath.Glob(filepath.Join(DefaultDir, layout+"-net*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("pins: %v, %v", dirs, err)
	}
	foreign := filepath.Join(DefaultDir, "v0"+filepath.Base(dirs[0])[len(layout):])
	if err := os.MkdirAll(filepath.Join(foreign, "maps"), 0o700); err != nil {
		t.Fatal(err)
	}

	if n, err := Flush(""); n != crowd || err != nil {
		t.Errorf("flushed %d, %v; want %d", n, err, crowd)
	}
	for _, c := range conns {
		if err := say(c); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("after the flush: %v", err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(DefaultDir, "*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	for _, dir := range []string{dirs[0], foreign} {
		if left, _ := filepath.Glob(filepath.Join(lockDir, "*-"+filepath.Base(dir)+"*")); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	}

	running := command.Start(t, "-to", server.Addr().String())
	c := connect(running.Expect(`listening on (\S+)`)[1])
	if err := say(c); err != nil {
		t.Fatal(err)
	}
	running.Expect("switched 1 ")
	if n, err := Flush(""); n != 0 || err != nil {
		t.Errorf("flushed %d, %v beside a forwarder; want 0", n, err)
	}
	if err := say(c); err != nil {
		t.Errorf("a running forwarder's connection: %v", err)
	}
	c.Close()
	running.Expect("active 0 ")
	running.Interrupt()
}
