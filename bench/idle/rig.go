//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The ports of the service, and of the proxy before it.
const (
	servicePort = "7001"
	proxyPort   = "7002"
)

// serve echoes.
func serve(port string) error {
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			b := make([]byte, 256)
			for {
				n, err := c.Read(b)
				if err != nil {
					c.Close()
					return
				}
				if _, err := c.Write(b[:n]); err != nil {
					c.Close()
					return
				}
			}
		}()
	}
}

// waggle is a running waggle idle, with the service.
type waggle struct {
	cmd   *exec.Cmd
	dir   string
	lines chan string // that tell of starting and stopping
	open  atomic.Int64
	ended chan struct{}
}

func start(ctx context.Context, watcher, idle string) (*waggle, error) {
	dir, err := os.MkdirTemp("", "waggle-idle-bench-")
	if err != nil {
		return nil, err
	}
	args := []string{roleWaggle, "idle", "run", "--control", filepath.Join(dir, "c.sock"), "--idle", idle}
	if watcher == "proxy" {
		args = append(args, "--listen", "127.0.0.1:"+proxyPort, "--to", "127.0.0.1:"+servicePort)
	} else {
		args = append(args, "--watch", watcher, "--port", servicePort)
	}
	w := &waggle{dir: dir, lines: make(chan string, 16), ended: make(chan struct{})}
	w.cmd = exec.CommandContext(ctx, "/proc/self/exe", append(args, "--", "/proc/self/exe", roleServe, servicePort)...)
	w.cmd.Cancel = func() error { return w.cmd.Process.Signal(syscall.SIGTERM) } // it cleans up
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := w.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	go w.read(out)
	if err := w.expect("started "); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, w.serves()
}

// read follows the log.
func (w *waggle) read(r io.Reader) {
	defer close(w.ended)
	for s := bufio.NewScanner(r); s.Scan(); {
		line := strings.TrimPrefix(s.Text(), "waggle: ")
		switch {
		case strings.HasPrefix(line, "accepted "):
			w.open.Add(1)
		case strings.HasPrefix(line, "closed "):
			w.open.Add(-1)
		case strings.HasPrefix(line, "idle for "):
		default:
			select {
			case w.lines <- line:
			default:
			}
		}
	}
}

const patience = 2 * time.Minute

func (w *waggle) expect(prefix string) error {
	var last string
	for timeout := time.After(patience); ; {
		select {
		case last = <-w.lines:
			if strings.HasPrefix(last, prefix) {
				return nil
			}
		case <-w.ended:
			return fmt.Errorf("waggle has ended: %s", last)
		case <-timeout:
			return fmt.Errorf("no line %q", prefix)
		}
	}
}

// serves waits until the service does.
func (w *waggle) serves() error {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+servicePort)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) {
			return errors.Join(err, w.stop())
		}
	}
}

// stop ends it.
func (w *waggle) stop() error {
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	<-w.ended
	err := w.cmd.Wait()
	return errors.Join(err, os.RemoveAll(w.dir))
}

// clients are connections with messages on them.
type clients struct {
	conns []net.Conn
	stop  chan struct{}
	work  sync.WaitGroup
	moved atomic.Int64
	err   atomic.Pointer[error]
}

// connect opens n connections, a few at a time, and lets so many messages a second go
// over them, one connection after the other.
func connect(watcher string, n, rate int) (*clients, error) {
	port := servicePort
	if watcher == "proxy" {
		port = proxyPort
	}
	c := &clients{stop: make(chan struct{})}
	for i := range n {
		// Loopback has 64 Ki addresses to connect from; one has 28 Ki ports.
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/5000))}, Timeout: patience}
		conn, err := d.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.conns = append(c.conns, conn)
	}
	if n > 0 && rate > 0 {
		c.work.Go(func() { c.talk(time.Second / time.Duration(rate)) })
	}
	return c, nil
}

func (c *clients) talk(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	message := make([]byte, 100)
	for i := 0; ; i = (i + 1) % len(c.conns) {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		conn := c.conns[i]
		_, err := conn.Write(message)
		if err == nil {
			_, err = io.ReadFull(conn, message)
		}
		if err != nil {
			c.err.Store(&err)
			return
		}
		c.moved.Add(1)
	}
}

func (c *clients) close() error {
	close(c.stop)
	c.work.Wait()
	for _, conn := range c.conns {
		conn.Close()
	}
	if err := c.err.Load(); err != nil {
		return *err
	}
	return nil
}
