package main

import (
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket is a blocking TCP socket whose system calls the Go scheduler does not see:
// they cost what they cost a C program. That needs a processor for each goroutine
// that uses one (see crew), and a time limit on each call.
type socket int

// tick is how long a call blocks at most; then it fails with EAGAIN, and its caller
// looks whether it is still wanted.
var tick = unix.Timeval{Usec: 100_000}

func newSocket() (socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make socket: %w", err)
	}
	s := socket(fd)
	if err := s.furnish(); err != nil {
		s.close()
		return -1, err
	}
	return s, nil
}

func (s socket) furnish() error {
	if err := unix.SetsockoptTimeval(int(s), unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tick); err != nil {
		return fmt.Errorf("set time limit: %w", err)
	}
	if err := unix.SetsockoptTimeval(int(s), unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tick); err != nil {
		return fmt.Errorf("set time limit: %w", err)
	}
	return unix.SetsockoptInt(int(s), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

func address(a netip.AddrPort) *unix.SockaddrInet4 {
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

// listen makes a listening socket.
func listen(a netip.AddrPort) (socket, error) {
	s, err := newSocket()
	if err != nil {
		return s, err
	}
	if err = unix.SetsockoptInt(int(s), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err == nil {
		err = unix.Bind(int(s), address(a))
	}
	const backlog = 4096
	if err == nil {
		err = unix.Listen(int(s), backlog)
	}
	if err != nil {
		s.close()
		return -1, fmt.Errorf("listen on %v: %w", a, err)
	}
	return s, nil
}

// accept waits a tick for a connection.
func (s socket) accept() (socket, error) {
	fd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(s), 0, 0, unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	c := socket(fd)
	return c, c.furnish()
}

// connect makes a connection. SO_SNDTIMEO limits connecting, too, and a loaded
// forwarder may need longer than a tick, so the limit comes afterwards.
func connect(a netip.AddrPort) (socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make socket: %w", err)
	}
	s := socket(fd)
	raw := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.Addr().As4()}
	port := (*[2]byte)(unsafe.Pointer(&raw.Port))
	port[0], port[1] = byte(a.Port()>>8), byte(a.Port())
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&raw)), unix.SizeofSockaddrInet4)
	if errno != 0 {
		s.close()
		return -1, fmt.Errorf("connect to %v: %w", a, errno)
	}
	return s, s.furnish()
}

// read reads what there is; 0 is the end.
func (s socket) read(b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(s), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func (s socket) write(b []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func (s socket) close() { unix.RawSyscall(unix.SYS_CLOSE, uintptr(s), 0, 0) }

// again tells whether a call may be repeated.
func again(err error) bool { return err == unix.EAGAIN || err == unix.EINTR }

// crew is the goroutines of a measurement, each with a thread and a processor.
type crew struct {
	running sync.WaitGroup
	over    atomic.Bool
	mu      sync.Mutex
	failure error
	open    []socket // closed when all have gone
}

// processors is enough for the largest crew, with some for everything else.
const processors = 96

// hire starts a goroutine. Its error ends the measurement.
func (c *crew) hire(work func() error) {
	c.running.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := work(); err != nil && !c.over.Load() {
			c.fail(err)
		}
	})
}

func (c *crew) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == nil {
		c.failure = err
	}
	c.over.Store(true)
}

// dismiss ends the work and returns the first error.
func (c *crew) dismiss() error {
	c.over.Store(true)
	c.running.Wait()
	for _, s := range c.open {
		s.close()
	}
	c.open = nil
	return c.failure
}

// on repeats a call until it has done something, or the crew is dismissed.
func (c *crew) on(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !again(err) || c.over.Load() {
			return n, err
		}
	}
}

// readFull reads exactly b; end tells that the stream has ended instead.
func (c *crew) readFull(s socket, b []byte) (end bool, err error) {
	for got := 0; got < len(b); {
		n, err := c.on(func() (int, error) { return s.read(b[got:]) })
		if err != nil || n == 0 {
			return n == 0, err
		}
		got += n
	}
	return false, nil
}

// writeAll writes all of b.
func (c *crew) writeAll(s socket, b []byte) error {
	for len(b) > 0 {
		n, err := c.on(func() (int, error) { return s.write(b) })
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// serve accepts connections with some goroutines and lets each talk with one
// connection at a time.
func (c *crew) serve(goroutines int, talk func(socket) error) error {
	l, err := listen(backend)
	if err != nil {
		return err
	}
	c.open = append(c.open, l)
	for range goroutines {
		c.hire(func() error {
			for !c.over.Load() {
				s, err := l.accept()
				if again(err) {
					continue
				}
				if err == nil {
					err = talk(s)
					s.close()
				}
				if err != nil && !gone(err) {
					return err
				}
			}
			return nil
		})
	}
	return nil
}

// gone tells that the other end has closed.
func gone(err error) bool { return err == unix.ECONNRESET || err == unix.EPIPE }
