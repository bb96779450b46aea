package forward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/proxy"
	"github.com/waggle-bpf/waggle/forward/rawio"
)

// group is a group of backends and how they are spoken to.
type group struct {
	*backend.Group
	sendProxy config.ProxyOut
}

// dial connects to a backend.
func (c *conn) dial(ctx context.Context) *refusal {
	f := c.listener.forwarder
	t := &c.target
	out, b, err := t.group.DialControl(ctx, backend.Key{Source: t.source.Addr(), Name: t.name}, c.prepare())
	if err != nil {
		reason := backend.Reason(err)
		f.metrics.DialError(t.group.Name(), reason)
		switch {
		case f.ending.Load():
			reason = shutdown
		case context.Cause(ctx) == errAged:
			reason = aged
		}
		return &refusal{reason: reason, err: err}
	}
	c.backend = b
	c.pair = engine.NewPair(c.client, out)
	return nil
}

// prepare returns what the engine wants to do to the backend's socket first.
func (c *conn) prepare() backend.Control {
	p, ok := c.service.engine.(engine.Preparer)
	if !ok {
		return nil
	}
	return func(fd int, to netip.AddrPort) error { return p.Prepare(c.client, fd, to) }
}

// greet writes what the backend gets before the engine begins: a PROXY header and
// what was read of the client. It has to be there as a whole, because what follows
// may go another way.
func (c *conn) greet(o *opening) *refusal {
	greeting := o.payload()
	if c.target.group.sendProxy != config.NoProxy {
		buf := greetings.Get().(*[]byte)
		defer greetings.Put(buf)
		b, err := c.appendProxyHeader((*buf)[:0])
		if err != nil {
			return &refusal{reason: failed, err: err}
		}
		greeting = append(b, greeting...)
		*buf = greeting
	}
	c.pair.Taken = uint64(len(o.bytes))
	if len(greeting) == 0 {
		return nil
	}
	if err := c.writeAll(greeting); err != nil {
		return c.ungreeted(err)
	}
	c.pair.Given = uint64(len(greeting))
	return nil
}

// greetings are buffers for a PROXY header and first bytes of the usual size.
var greetings = sync.Pool{New: func() any {
	b := make([]byte, 0, openingSize)
	return &b
}}

// appendProxyHeader appends the header that says whom the connection is from.
func (c *conn) appendProxyHeader(b []byte) ([]byte, error) {
	t := &c.target
	h := proxy.Header{Version: proxy.Version(t.group.sendProxy), Source: t.source, Destination: t.local}
	if h.Version == proxy.V2 {
		h.SetHops(t.hops + 1)
		if t.name != "" {
			h.TLVs = append(h.TLVs, proxy.TLV{Type: proxy.TypeAuthority, Value: []byte(t.name)})
		}
	}
	return h.Append(b)
}

// writeAll writes to the backend. The timer for one that takes nothing is set only
// when that turns out to be so.
func (c *conn) writeAll(b []byte) error {
	raw, err := c.pair.Backend.SyscallConn()
	if err != nil {
		return err
	}
	timed := false
	var werr error
	err = raw.Write(func(fd uintptr) bool {
		for len(b) > 0 {
			var n int
			n, werr = rawio.Write(int(fd), b)
			switch {
			case werr == unix.EAGAIN:
				if !timed {
					timed = true
					c.setWriteDeadline(c.greetUntil())
				}
				return false
			case werr == unix.EINTR:
			case werr != nil:
				return true
			default:
				b = b[n:]
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	if werr != nil {
		return os.NewSyscallError("write", werr)
	}
	if timed {
		c.setWriteDeadline(time.Time{})
	}
	return nil
}

// greetUntil is when a backend has had its time to take the greeting, which is as long as
// the client had; if that is forever, as long as connecting may take.
func (c *conn) greetUntil() time.Time {
	t := &c.service.timeouts
	until := time.Now().Add(cmp.Or(t.Header, c.target.group.ConnectTimeout()))
	if end := c.start.Add(t.Lifetime); t.Lifetime > 0 && end.Before(until) {
		return end
	}
	return until
}

// setWriteDeadline sets the backend's, unless the pair was aborted, which sets it too.
func (c *conn) setWriteDeadline(d time.Time) {
	_ = c.pair.Backend.SetWriteDeadline(d)
	if c.pair.Aborted() != "" {
		c.pair.Wake()
	}
}

// ungreeted is the refusal for a backend that did not take the greeting. There is no
// other try: that backend may have got a part of it.
func (c *conn) ungreeted(err error) *refusal {
	r := &refusal{reason: failed, err: fmt.Errorf("write first bytes to backend: %w", err)}
	switch {
	case c.pair.Aborted() != "":
		return &refusal{reason: string(c.pair.Aborted())}
	case errors.Is(err, os.ErrDeadlineExceeded) && c.aged():
		r.reason = aged
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.reason = backendStuck
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		r.reason = backendReset
	}
	return r
}

// addrPort is an address of package net in its shortest form.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	if !ap.Addr().IsValid() { // ":80"
		return netip.AddrPortFrom(netip.IPv6Unspecified(), ap.Port())
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
