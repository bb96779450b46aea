package forward

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/proxy"
	"github.com/waggle-bpf/waggle/forward/rawio"
	"github.com/waggle-bpf/waggle/forward/route"
)

// opening is the first bytes of a client, which decide where it goes. There is no
// buffer until there is something to read: clients that keep silent cost less.
type opening struct {
	buf   *[]byte
	bytes []byte // what was read, in buf
	skip  int    // of those: a PROXY header, a token, that end here

	end   route.End
	timed bool // the client's read deadline is set
}

// openings are buffers for the usual first bytes; the larger ones of the few who need
// them are left to the garbage collector.
var openings = sync.Pool{New: func() any {
	b := make([]byte, openingSize)
	return &b
}}

const openingSize = 4 << 10

// more reads what there is and waits for it if there is nothing. That the time is up
// or the stream has ended is noted in end; an error is that of a broken connection.
func (o *opening) more(c *conn) error {
	raw, err := c.client.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var rerr error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, rerr = rawio.Read(int(fd), o.room())
			if rerr == unix.EAGAIN {
				o.wait(c)
			}
			if rerr != unix.EINTR {
				return rerr != unix.EAGAIN
			}
		}
	})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		if c.aged() {
			return errAged
		}
		o.end = route.Deadline
		return nil
	case err != nil:
		return err
	case rerr != nil:
		return os.NewSyscallError("read", rerr)
	case n == 0:
		o.end = route.Closed
		return nil
	}
	o.bytes = (*o.buf)[:len(o.bytes)+n]
	return nil
}

// room is where the next bytes go.
func (o *opening) room() []byte {
	if o.buf == nil {
		o.buf = openings.Get().(*[]byte)
	}
	if n := len(o.bytes); n == len(*o.buf) {
		larger := make([]byte, 2*n)
		copy(larger, o.bytes)
		o.give()
		o.buf = &larger
		o.bytes = larger[:n]
	}
	return (*o.buf)[len(o.bytes):]
}

// wait prepares to wait: now it is worth to set a timer, and not worth to hold a
// buffer that is empty.
func (o *opening) wait(c *conn) {
	if len(o.bytes) == 0 {
		o.release()
	}
	t := &c.service.timeouts
	if d := shorter(t.Header, t.Lifetime); !o.timed && d > 0 {
		o.timed = true
		_ = c.client.SetReadDeadline(c.start.Add(d))
		if c.listener.forwarder.ending.Load() {
			_ = c.client.SetReadDeadline(past) // as whoever ends us may have done before
		}
	}
}

// release gives the buffer back.
func (o *opening) release() {
	if o.buf != nil {
		o.give()
		o.buf, o.bytes = nil, nil
	}
}

func (o *opening) give() {
	if len(*o.buf) == openingSize {
		openings.Put(o.buf)
	}
}

// payload is what of the bytes the backend gets.
func (o *opening) payload() []byte { return o.bytes[o.skip:] }

// route finds out where the connection goes, by as many of its first bytes as that
// takes. The parsers behind it see what anybody sends: a mistake in one of them costs
// that connection, not the others.
func (c *conn) route(o *opening) (r *refusal) {
	c.target.source, c.target.local = c.peer, addrPort(c.client.LocalAddr())
	defer func() {
		if p := recover(); p != nil {
			c.listener.forwarder.notice("BUG: route connection of %v: %v\n%s", c.peer, p, debug.Stack())
			r = &refusal{reason: failed, err: fmt.Errorf("BUG: %v", p)}
		}
	}()
	if r = c.readProxyHeader(o); r == nil {
		r = c.choose(o)
	}
	if c.listener.forwarder.ending.Load() {
		return &refusal{reason: shutdown}
	}
	if o.end == route.Deadline {
		c.service.metrics.HeaderTimeout()
	}
	if o.timed && r == nil {
		_ = c.client.SetReadDeadline(time.Time{})
	}
	return r
}

// readProxyHeader reads the header that says whom the connection is from. A listener
// that trusts nobody doesn't speak the PROXY protocol at all: to it, a header is the
// backend's business like any other byte.
func (c *conn) readProxyHeader(o *opening) *refusal {
	policy := &c.service.policy
	if len(policy.Trusted) == 0 {
		return nil
	}
	for {
		h, n, err := policy.Read(c.peer.Addr(), o.bytes, proxyEnds[o.end])
		if err == nil {
			return c.believe(&h, n, o)
		}
		if !errors.Is(err, proxy.ErrShort) || o.end != route.Open {
			return c.impatient(o, &refusal{reason: headerReason(err), err: err})
		}
		if err := o.more(c); err != nil {
			return broken(err)
		}
	}
}

// proxyEnds are package proxy's names for the ends of what a client says first.
var proxyEnds = [...]proxy.End{route.Open: proxy.Open, route.Deadline: proxy.Late, route.Closed: proxy.Closed}

// headerReason is the reason for refusing a client for its PROXY header.
func headerReason(err error) string {
	if errors.Is(err, proxy.ErrUntrusted) {
		return spoofedHeader
	}
	return badProxyHeader
}

// believe takes over what a header of n bytes says; there is none if n is 0.
func (c *conn) believe(h *proxy.Header, n int, o *opening) *refusal {
	o.skip = n
	if c.target.hops = h.Hops(); c.target.hops >= maxHops {
		return &refusal{reason: looping, err: fmt.Errorf("came through %d forwarders", c.target.hops)}
	}
	if h.Source.IsValid() {
		c.target.source, c.target.local, c.target.proxied = h.Source, h.Destination, true
	}
	// A proxy that speaks for itself, or doesn't say for whom, counts for nobody.
	told := n == 0 || c.target.proxied
	if told && !c.counted.IsValid() && !c.count(c.target.source.Addr()) {
		return &refusal{reason: tooManyOfSource, err: fmt.Errorf("from %s", c.target.source.Addr())}
	}
	return nil
}

// maxHops is how many forwarders in a row can't but be a loop.
const maxHops = 16

// choose finds the route.
func (c *conn) choose(o *opening) *refusal {
	s := c.service
	if s.table == nil {
		return c.fallBack(route.Decision{Why: "default"}, o)
	}
	conn := route.Conn{Peer: c.peer, Local: c.target.local}
	if c.target.proxied {
		conn.Local = addrPort(c.client.LocalAddr())
		conn.Source, conn.Destination = c.target.source, c.target.local
	}
	decider := s.table.Begin(conn)
	for {
		in := route.Input{Bytes: o.payload(), End: o.end}
		if o.end != route.Open {
			in.Waited = time.Since(c.start)
		}
		d := decider.Decide(in)
		if d.Verdict != route.NeedMore {
			if h := decider.Head(); h.SNI != "" {
				c.target.name = h.SNI
			} else {
				c.target.name = h.Host
			}
			return c.follow(d, o)
		}
		if err := o.more(c); err != nil {
			return broken(err)
		}
	}
}

// follow does what was decided.
func (c *conn) follow(d route.Decision, o *opening) *refusal {
	c.target.route, c.target.why = d.Name, d.Why
	switch {
	case d.Verdict == route.NoRoute:
		return c.fallBack(d, o)
	case d.Verdict == route.Rejected:
		return &refusal{reason: rejected, err: errors.New(d.Why)}
	case d.Refuse != route.Forward:
		return &refusal{reason: refusedByRoute, polite: d.Refuse == route.Close}
	}
	o.skip += d.Strip
	c.target.group = c.service.groups[d.Target]
	return nil
}

// fallBack sends a connection without a route to the default group, if there is one.
func (c *conn) fallBack(d route.Decision, o *opening) *refusal {
	if g := c.service.fallback; g != nil {
		c.target.group, c.target.why = g, d.Why
		return nil
	}
	return c.impatient(o, &refusal{reason: noRoute, err: errors.New(d.Why)})
}

// impatient returns the refusal of a client, or what was in fact its mistake: that it
// has left, or not spoken in time.
func (c *conn) impatient(o *opening, r *refusal) *refusal {
	switch {
	case o.end == route.Closed && len(o.bytes) == 0:
		return &refusal{reason: clientClosed, polite: true}
	case o.end == route.Deadline:
		return &refusal{reason: headerTimeout, err: r.err}
	}
	return r
}

// broken is the refusal of a client whose connection gave an error.
func broken(err error) *refusal {
	switch {
	case err == errAged:
		return &refusal{reason: aged}
	case errors.Is(err, unix.ECONNRESET):
		return &refusal{reason: clientReset}
	}
	return &refusal{reason: failed, err: err}
}
