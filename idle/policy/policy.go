// Package policy decides when a service is idle for long enough to be stopped. It is a
// state machine without clock, goroutine or system call: whoever runs it tells what
// happens and what time it is, and asks what to do.
//
// The service is busy as long as a connection counts or somebody holds it. Which
// connections count is a matter of [Config]: those from some sources never do, others
// only when they are old enough, have moved enough, and still move something. From the
// moment when nothing keeps it busy any more, the time runs.
package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/waggle-bpf/waggle/idle/watch"
)

// Config says when the service is idle.
type Config struct {
	// Idle is how long nothing may keep the service busy until it is to be stopped.
	Idle time.Duration
	// Grace is how long it stays up after the start in any case.
	Grace time.Duration

	// Ignore are the sources whose connections never count: health checks.
	Ignore []netip.Prefix
	// MinAge is how old a connection has to be to count, MinBytes how much it has
	// to have moved in both directions together: less is a scan, or a login that
	// came to nothing.
	MinAge   time.Duration
	MinBytes uint64
	// Quiet is how long a connection counts on which no payload moves; keep-alives
	// are none. 0 is for ever.
	Quiet time.Duration
}

// Hold keeps the service busy by somebody's wish.
type Hold struct {
	ID     int
	Reason string
	Since  time.Time
	Until  time.Time
}

// Machine is the state of a service.
type Machine struct {
	config Config
	start  time.Time
	idle   time.Time // when the last thing ended that kept it busy

	conns    map[uint64]*conn
	counting int     // of conns: those that count
	ignored  int     // of conns
	meagre   int     // of conns: those old enough that have moved too little
	young    []*conn // in the order of their age; some may have ended

	holds    []Hold
	lastHold int
	sampled  time.Time // when the bytes were told last

	suspended bool
	wanted    bool // somebody has come since, or moved something
}

// state is whether a connection counts, or why not.
type state int

const (
	young   state = iota // wait until it has the age
	meagre               // it has the age, but has not moved enough
	counts               // it keeps the service busy
	quiet                // it did, but nothing has moved for long
	ignored              // never
	ended
)

type conn struct {
	watch.Conn
	state state
	bytes watch.Bytes
	moved time.Time // when bytes were seen to change
}

// New makes a machine for a service that has just started.
func New(c Config, now time.Time) *Machine {
	return &Machine{config: c, start: now, idle: now, sampled: now, conns: make(map[uint64]*conn)}
}

// Event tells what has happened to a connection.
func (m *Machine) Event(e *watch.Event) {
	switch e.Kind {
	case watch.Opened:
		m.opened(e)
	case watch.Closed:
		m.closed(e)
	}
}

func (m *Machine) opened(e *watch.Event) {
	if m.conns[e.ID] != nil {
		return
	}
	c := &conn{Conn: e.Conn, moved: e.Time, state: young}
	m.conns[e.ID] = c
	switch {
	case slices.ContainsFunc(m.config.Ignore, func(p netip.Prefix) bool { return p.Contains(e.Client.Addr()) }):
		c.state = ignored
		m.ignored++
		return
	case m.config.MinAge > 0 && !e.Found: // of one that was there before the age is not known
		m.young = append(m.young, c)
	default:
		m.grownUp(c, e.Time)
	}
	m.wanted = m.suspended
}

// grownUp takes a connection that has the age to count.
func (m *Machine) grownUp(c *conn, now time.Time) {
	if m.tooLittle(c.bytes) {
		m.set(c, meagre, now)
		return
	}
	m.set(c, counts, now)
}

// tooLittle tells whether so much is not enough to count.
func (m *Machine) tooLittle(b watch.Bytes) bool { return b.Total() < m.config.MinBytes }

// set changes the state of a connection, at a time.
func (m *Machine) set(c *conn, to state, now time.Time) {
	if c.state == counts {
		m.ends(now)
	}
	for _, s := range []struct {
		state state
		count *int
	}{{counts, &m.counting}, {ignored, &m.ignored}, {meagre, &m.meagre}} {
		if c.state == s.state {
			*s.count--
		}
		if to == s.state {
			*s.count++
		}
	}
	c.state = to
}

// ends notes that something does not keep the service busy any more.
func (m *Machine) ends(at time.Time) {
	if at.After(m.idle) {
		m.idle = at
	}
}

func (m *Machine) closed(e *watch.Event) {
	c := m.conns[e.ID]
	if c == nil {
		return
	}
	delete(m.conns, e.ID)
	// It may have earned it since the bytes were told last, or between two looks.
	if (c.state == young || c.state == meagre) && e.Time.Sub(c.Opened) >= m.config.MinAge &&
		(!e.Bytes.Known || !m.tooLittle(e.Bytes)) {
		m.set(c, counts, e.Time)
	}
	m.set(c, ended, e.Time)
	if len(m.conns) == 0 {
		m.young = nil
	}
}

// Moved tells what a connection has moved so far. All open connections that are known
// to the watcher are told of in a row, then Sampled is called.
func (m *Machine) Moved(id uint64, b watch.Bytes, now time.Time) {
	c := m.conns[id]
	if c == nil || !b.Known {
		return
	}
	if b != c.bytes {
		c.moved = now
		m.wanted = m.wanted || m.suspended && c.state != ignored
	}
	c.bytes = b
	switch {
	case c.state == meagre && !m.tooLittle(b), c.state == quiet && c.moved.Equal(now):
		m.set(c, counts, now)
	}
}

// Sampled tells that Moved was called for all. What is still not known of a connection
// won't keep it from counting.
func (m *Machine) Sampled(now time.Time) {
	m.sampled = now
	if m.config.Quiet == 0 && m.meagre == 0 {
		return
	}
	for _, c := range m.conns {
		switch {
		case c.state == meagre && !c.bytes.Known:
			m.set(c, counts, now)
		case c.state == counts && c.bytes.Known && m.config.Quiet > 0 && now.Sub(c.moved) >= m.config.Quiet:
			m.set(c, quiet, now)
		}
	}
}

// Busy tells whether something keeps the service up.
func (m *Machine) Busy() bool { return m.counting > 0 || len(m.holds) > 0 }

// Open is how many connections are open.
func (m *Machine) Open() int { return len(m.conns) }

// Suspend tells that the service does not answer until Resume. With such a service no
// connection can come to count, so everybody who comes or moves something wants it
// back, except those who never count.
func (m *Machine) Suspend() { m.suspended, m.wanted = true, false }

// Resume tells that the service answers again. Its idle time begins anew: who has called
// for it must have the time to count.
func (m *Machine) Resume(now time.Time) {
	m.suspended = false
	m.ends(now)
}

// MaxHolds is how many holds there can be at a time.
const MaxHolds = 1000

// ErrHolds is that there are too many holds.
var ErrHolds = fmt.Errorf("there are %d holds already; release some, or let them end", MaxHolds)

// Hold keeps the service busy for a time.
func (m *Machine) Hold(reason string, ttl time.Duration, now time.Time) (Hold, error) {
	m.advance(now)
	if len(m.holds) >= MaxHolds {
		return Hold{}, ErrHolds
	}
	m.lastHold++
	h := Hold{ID: m.lastHold, Reason: reason, Since: now, Until: now.Add(ttl)}
	m.holds = append(m.holds, h)
	return h, nil
}

// Release ends a hold, and tells whether there was one.
func (m *Machine) Release(id int, now time.Time) bool {
	n := len(m.holds)
	m.holds = slices.DeleteFunc(m.holds, func(h Hold) bool { return h.ID == id })
	if len(m.holds) == n {
		return false
	}
	m.ends(now)
	return true
}

// advance lets time pass.
func (m *Machine) advance(now time.Time) {
	for len(m.young) > 0 {
		c := m.young[0]
		at := c.Opened.Add(m.config.MinAge)
		if c.state == young && at.After(now) {
			break
		}
		m.young = m.young[1:]
		if c.state == young {
			m.grownUp(c, at)
		}
	}
	m.holds = slices.DeleteFunc(m.holds, func(h Hold) bool {
		if h.Until.After(now) {
			return false
		}
		m.ends(h.Until)
		return true
	})
}
