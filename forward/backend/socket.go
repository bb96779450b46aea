package backend

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// dialer makes connections to one address.
type dialer struct {
	to      netip.AddrPort
	text    string
	timeout time.Duration
	control Control
}

// connect makes a connection: TCP_NODELAY set, keep-alive off.
//
// It is a net.Dialer, because only package net makes a *net.TCPConn without a second
// file descriptor, but its Control hook connects already. The handshake with a backend
// on the same machine is over when that returns. The dialer's own connect then finds the
// socket connected and takes the short way, without deadline, goroutine switch and
// poller; for any other backend it finds the handshake under way, as it expects to, and
// that was one system call more.
//
// Dialer.DialTCP would save the parsing of the address but binds the socket to port 0
// first, which takes a port away from all destinations instead of from one.
func (d *dialer) connect(ctx context.Context, control Control) (*net.TCPConn, error) {
	nd := net.Dialer{
		FallbackDelay: -1,
		KeepAlive:     -1,
		Control: func(_, _ string, c syscall.RawConn) error {
			var err error
			if cerr := c.Control(func(fd uintptr) { err = d.prepare(int(fd), control) }); cerr != nil {
				return cerr
			}
			return err
		},
	}
	nd.SetMultipathTCP(false)
	began := time.Now()
	conn, err := nd.DialContext(untimed{ctx, began.Add(d.timeout)}, "tcp", d.text)
	if err == nil {
		return conn.(*net.TCPConn), nil
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		<-ctx.Done() // the socket's timer was a little earlier than the context's
	}
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() && !errors.Is(err, syscall.ETIMEDOUT) {
		return nil, &timeoutError{after: min(d.timeout, time.Since(began).Round(time.Millisecond))}
	}
	return nil, cause(err)
}

// untimed is a context with a deadline that has no timer: package net sets it on the
// socket if it has to wait. A Dialer's Timeout would cost a timer for each connection.
type untimed struct {
	context.Context
	deadline time.Time
}

// Deadline returns the earlier deadline.
func (u untimed) Deadline() (time.Time, bool) {
	if d, ok := u.Context.Deadline(); ok && d.Before(u.deadline) {
		return d, true
	}
	return u.deadline, true
}

// prepare sets the options of a socket and begins to connect it.
func (d *dialer) prepare(fd int, control Control) error {
	// What is configured has the last word.
	for _, f := range [...]Control{control, d.control} {
		if f == nil {
			continue
		}
		if err := f(fd, d.to); err != nil {
			return &controlError{err}
		}
	}
	return beginConnect(fd, d.to)
}
