package forward

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/waggle-bpf/waggle/forward/accesslog"
	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/engine"
)

// conn is a connection from accept to its end. Its own goroutine runs serve; what
// others look at is said below.
type conn struct {
	listener *listener
	service  *service // the configuration it was accepted under
	client   *net.TCPConn
	peer     netip.AddrPort
	start    time.Time
	counted  netip.Addr // the source that it counts for, invalid if it doesn't

	id         uint64
	prev, next *conn // in the registry, which guards them

	phase atomic.Int32
	// These are set before the phase that has them begins, and stay.
	target  target           // dialing
	backend *backend.Backend // greeting
	pair    *engine.Pair     // greeting; with a state from forwarding on
	// forwarded is when forwarding began.
	forwarded time.Time
	// adopted says where a connection comes from that another process has left. It
	// has no client then, and a backend only if there is such a one here.
	adopted *adopted
	leave   func() // what the gate wants to be told with; may be nil

	watch watch // the janitor's
}

// phase is how far a connection is.
type phase int32

const (
	reading phase = iota
	dialing
	greeting
	forwarding
)

func (p phase) String() string {
	return [...]string{"reading", "dialing", "greeting", "forwarding"}[p]
}

// target is where a connection goes, and why.
type target struct {
	group  *group
	source netip.AddrPort // the client; see also proxied
	local  netip.AddrPort // what it connected to
	// proxied tells that source and local are a PROXY header's, hops how many
	// forwarders of ours that went through.
	proxied bool
	hops    int

	route string // the rule's name
	why   string
	name  string // what the client asked for
}

// refusal is why a connection is not forwarded.
type refusal struct {
	reason string // one of a few, for metrics
	err    error
	polite bool // end it with FIN, not with RST
}

// The reasons for a refusal. Those of dials are backend.Reason's.
const (
	tooMany         = "too many connections"
	tooManyOfSource = "too many connections of one source"
	noDescriptors   = "no descriptors"
	headerTimeout   = "header timeout"
	badProxyHeader  = "bad proxy header"
	spoofedHeader   = "untrusted proxy header"
	noRoute         = "no route"
	rejected        = "rejected"
	refusedByRoute  = "refused by route"
	looping         = "loop"
	engineRefused   = "engine refused"
	clientClosed    = "client closed"
	clientReset     = "client reset"
	backendReset    = "backend reset"
	backendStuck    = "backend takes nothing"
	aged            = string(engine.LifetimeTimeout)
	shutdown        = "shutdown"
	failed          = "failed"
)

// serve is a connection's life.
func (c *conn) serve() {
	var end engine.End
	var r *refusal
	if c.adopted != nil {
		end = c.adopted.engine.Forward(c.pair)
	} else {
		growStack()
		end, r = c.forward()
	}
	c.close(r)
	if c.leave != nil {
		c.leave()
	}
	f := c.listener.forwarder
	f.conns.remove(c)
	c.report(end, r)
	if c.counted.IsValid() {
		f.sources.leave(c.counted)
	}
	f.conns.release()
}

// forward takes the connection where it wants to go, until it ends.
func (c *conn) forward() (engine.End, *refusal) {
	var o opening
	if r := c.route(&o); r != nil {
		o.release()
		return engine.End{}, r
	}
	c.phase.Store(int32(dialing))
	ctx, cancel := c.lifetime()
	r := c.enter(ctx, &o)
	if cancel(); r != nil {
		o.release()
		return engine.End{}, r
	}
	c.phase.Store(int32(greeting))
	if c.listener.forwarder.ending.Load() {
		c.pair.Abort(engine.Shutdown) // who has aborted the others may not have seen this one
	}
	r = c.greet(&o)
	o.release()
	if r != nil {
		return engine.End{}, r
	}
	c.forwarded = time.Now()
	c.pair.SetState(c.service.engine.Name(), "")
	c.pair.Note = c.note
	c.phase.Store(int32(forwarding))
	end := c.service.engine.Forward(c.pair)
	if r, ok := end.Refused(); ok {
		return end, &refusal{reason: engineRefused, err: r}
	}
	return end, nil
}

// close closes both connections: one that is not forwarded with a reset, so that the
// client knows, unless its route wants it otherwise.
func (c *conn) close(r *refusal) {
	if c.adopted != nil {
		if c.backend != nil {
			c.backend.Release()
		}
		return
	}
	switch {
	case r == nil:
	case r.polite:
		c.linger()
	default:
		_ = c.client.SetLinger(0)
	}
	_ = c.client.Close()
	if c.pair == nil {
		return
	}
	if r != nil {
		_ = c.pair.Backend.SetLinger(0)
	}
	_ = c.pair.Backend.Close()
	c.backend.Release()
}

// growStack makes the goroutine's stack as large as dialling will need it. It would
// grow by itself, but twice and in the depth of package net, and moving a deep stack
// costs as much as all the rest that we do in user space.
//
//go:noinline
func growStack() byte {
	var frame [4 << 10]byte
	return frame[len(os.Args)] // an index that the compiler doesn't know: it has to be there
}

// report tells those who want to know of a connection that has ended.
func (c *conn) report(end engine.End, r *refusal) {
	lasted := time.Since(c.start)
	m := c.service.metrics
	if phase(c.phase.Load()) == forwarding {
		c.watch.count(c)
		m.Forwarding(c.watch.engine, "")
	}
	if r != nil {
		m.Refused(r.reason)
	} else {
		m.Closed(end.Cause, lasted)
	}
	f := c.listener.forwarder
	log := f.log.Load()
	if log == nil && f.ended == nil {
		return
	}
	rec := c.record(lasted)
	if r != nil {
		rec.Refused, rec.Err = r.reason, text(r.err)
	} else {
		rec.Close, rec.Err = string(end.Cause), text(end.Err)
	}
	log.Write(rec)
	if f.ended != nil {
		f.ended(rec)
	}
}

// backendName is the address of the backend, "" if there is none yet.
func (c *conn) backendName() string {
	switch {
	case c.backend != nil:
		return c.backend.String()
	case c.adopted != nil:
		return c.adopted.backend.String()
	}
	return ""
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// record is what the access log says of a connection, but for how it ended.
func (c *conn) record(lasted time.Duration) *accesslog.Record {
	t := &c.target
	rec := &accesslog.Record{
		Start: c.start, Duration: lasted,
		Client: c.peer, Listener: c.service.name,
		Route: t.route, Why: t.why, Name: t.name,
	}
	if t.proxied {
		rec.Source = t.source
	}
	rec.Backend = c.backendName()
	if c.pair != nil {
		rec.Up, rec.Down = c.pair.Moved(engine.Up)+c.pair.Taken, c.pair.Moved(engine.Down)
		state := c.pair.State()
		rec.Engine, rec.EngineWhy = state.Engine, state.Why
	}
	return rec
}
