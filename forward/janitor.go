package forward

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/engine"
)

// janitor looks at all connections every so often: for those that have had their
// time, for loops, for bytes to count. So no connection needs timers of its own, and
// nothing has to be told to it when bytes move.
type janitor struct {
	forwarder *Forwarder
	stop      chan struct{}
	kick      chan struct{}
	changed   chan struct{}
	work      sync.WaitGroup

	looked time.Time                // when it last looked for loops
	ours   map[netip.AddrPort]*conn // by the addresses we dialled from
	fresh  []*conn                  // those that were not looked at yet
	doomed []doom
}

// doom is a connection that is about to be aborted.
type doom struct {
	conn  *conn
	cause engine.Cause
}

// watch is what the janitor remembers of a connection.
type watch struct {
	moved   [2]uint64 // at the last look
	quiet   time.Time // since when nothing moved
	half    time.Time // since when one direction has ended, zero if none has
	engine  string    // what the metrics know to move it
	keepsUp bool      // keep-alive is on
	known   bool      // it was checked for loops
}

// often is how often the janitor looks, unless time-outs are shorter than that.
const often = time.Second

// perKick is after how many new connections it looks for loops at once, but no more
// often than loopPause: a connection that comes back to us again and again would take
// all that there is within a second.
const (
	perKick   = 1024
	loopPause = 100 * time.Millisecond
)

func (j *janitor) start(f *Forwarder) {
	j.forwarder = f
	j.stop, j.kick, j.changed = make(chan struct{}), make(chan struct{}, 1), make(chan struct{}, 1)
	j.ours = make(map[netip.AddrPort]*conn)
	j.work.Go(j.run)
}

func (j *janitor) close() {
	close(j.stop)
	j.work.Wait()
}

// added tells of a connection.
func (j *janitor) added(id uint64) {
	if id%perKick == 0 {
		wake(j.kick)
	}
}

// wake puts something into a channel that has room for one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (j *janitor) run() {
	timer := time.NewTimer(j.interval())
	defer timer.Stop()
	for {
		select {
		case <-j.stop:
			return
		case <-j.kick:
			if time.Since(j.looked) >= loopPause {
				j.findLoops()
			}
		case now := <-timer.C:
			j.forwarder.adopt()
			j.findLoops()
			j.look(now)
			timer.Reset(j.interval())
		case <-j.changed:
			timer.Reset(j.interval())
		}
		j.carryOut()
	}
}

// interval is a quarter of the shortest time-out there is.
func (j *janitor) interval() time.Duration {
	t := j.forwarder.timeouts()
	d := often
	for _, limit := range []time.Duration{t.Idle, t.Lifetime, t.HalfClose} {
		if limit > 0 {
			d = min(d, limit/4)
		}
	}
	return max(d, time.Millisecond)
}

// look judges every connection.
func (j *janitor) look(now time.Time) {
	j.forwarder.conns.each(func(c *conn) {
		if phase(c.phase.Load()) < forwarding {
			return // it has deadlines
		}
		if cause := c.watch.look(c, now); cause != "" {
			j.doomed = append(j.doomed, doom{c, cause})
		}
	})
}

// carryOut aborts who was found to be at the end, without holding locks.
func (j *janitor) carryOut() {
	for _, d := range j.doomed {
		d.conn.pair.Abort(d.cause)
	}
	clear(j.doomed)
	j.doomed = j.doomed[:0]
}

// look sees what has become of a connection and returns for which cause it is to be
// aborted, if it is.
func (w *watch) look(c *conn, now time.Time) engine.Cause {
	if w.quiet.IsZero() {
		w.quiet = c.forwarded
	}
	before := w.moved
	w.count(c)
	if w.moved != before {
		w.quiet = now
	}
	w.keepAlive(c, now)
	switch up, down := c.pair.Ended(engine.Up), c.pair.Ended(engine.Down); {
	case up == down:
		w.half = time.Time{}
	case w.half.IsZero():
		w.half = now
	}
	return w.judge(&c.service.timeouts, c.start, now)
}

func (w *watch) judge(t *config.Timeouts, start, now time.Time) engine.Cause {
	exceeded := func(limit time.Duration, since time.Time) bool {
		return limit > 0 && !since.IsZero() && now.Sub(since) >= limit
	}
	switch {
	case exceeded(t.Idle, w.quiet):
		return engine.IdleTimeout
	case exceeded(t.Lifetime, start):
		return engine.LifetimeTimeout
	case exceeded(t.HalfClose, w.half):
		return engine.HalfCloseTimeout
	}
	return ""
}

// count brings the metrics up to date.
func (w *watch) count(c *conn) {
	m := c.service.metrics
	for d := range w.moved {
		if moved := c.pair.Moved(engine.Direction(d)); moved != w.moved[d] {
			m.Moved(engine.Direction(d), moved-w.moved[d])
			w.moved[d] = moved
		}
	}
	if name := c.pair.State().Engine; name != w.engine {
		m.Forwarding(w.engine, name)
		w.engine = name
	}
}

// lasting is after how long a connection is one that lasts.
const lasting = 15 * time.Second

// keepAlive finds peers that have vanished.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}

// keepAlive turns keep-alive on for connections that last; short ones need not pay for
// it. Our sockets must be silent when engine packet has spliced a connection: then its
// ends look after themselves.
func (w *watch) keepAlive(c *conn, now time.Time) {
	want := w.engine != packetEngine && now.Sub(c.start) >= lasting
	if want == w.keepsUp {
		return
	}
	w.keepsUp = want
	config := keepAlive
	config.Enable = want
	for _, conn := range []*net.TCPConn{c.pair.Client, c.pair.Backend} {
		_ = conn.SetKeepAliveConfig(config)
	}
}

// maxRounds is how many times a connection may seem to have come back to us. Seem,
// because a local client may by chance have the address and port that we have dialled
// another backend from; but chance does not strike so often in a row.
const maxRounds = 8

// findLoops dooms connections that come back to us again and again, by a way that the
// list of our listeners doesn't show: through somebody's address translation.
func (j *janitor) findLoops() {
	j.looked = time.Now()
	fresh := j.fresh[:0]
	j.forwarder.conns.each(func(c *conn) {
		if phase(c.phase.Load()) < greeting || c.adopted != nil {
			return
		}
		j.ours[addrPort(c.pair.Backend.LocalAddr())] = c
		if !c.watch.known {
			c.watch.known = true
			fresh = append(fresh, c)
		}
	})
	for _, c := range fresh {
		if j.rounds(c) >= maxRounds {
			j.doomed = append(j.doomed, doom{c, engine.Loop})
		}
	}
	clear(fresh)
	j.fresh = fresh
	clear(j.ours)
}

// rounds counts how many times the bytes of a connection have been through here. The
// connection that it came from is older. One that seems to be younger, or the same, has
// that address by chance: a client's port that we dial another backend from, often.
func (j *janitor) rounds(c *conn) int {
	for n := range maxRounds {
		before := j.ours[c.peer]
		if before == nil || before.id >= c.id {
			return n
		}
		c = before
	}
	return maxRounds
}
