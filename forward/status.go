package forward

import (
	"cmp"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/engine"
)

// Status is what a forwarder is doing at a moment.
type Status struct {
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Draining bool      `json:"draining,omitempty"` // it accepts no connections any more

	Listeners []ListenerStatus `json:"listeners"`
	Backends  []backend.Status `json:"backends"`
	Engines   []EngineStatus   `json:"engines"`

	// Limit is how many connections there can be at a time, Open how many there
	// are. Connections are the oldest ones of them: see Forwarder.Status.
	Limit       int          `json:"limit"`
	Open        int          `json:"open"`
	Connections []ConnStatus `json:"connections"`
	// Moving counts the connections by engine.
	Moving map[string]int `json:"moving"`

	LogLost uint64 `json:"log_lost"`
}

// ListenerStatus is a listener.
type ListenerStatus struct {
	Name    string         `json:"name"`
	Address netip.AddrPort `json:"address"`
	Engine  string         `json:"engine"` // as configured
}

// EngineStatus is an engine that was asked for.
type EngineStatus struct {
	Name string `json:"name"`
	// Problem is why it can't run here, "" if it can.
	Problem string `json:"problem,omitempty"`
	// Stats is what it says of itself; each engine has its own.
	Stats any `json:"stats,omitempty"`
}

// ConnStatus is a connection.
type ConnStatus struct {
	ID       uint64         `json:"id"`
	Listener string         `json:"listener"`
	Client   netip.AddrPort `json:"client"`
	Source   netip.AddrPort `json:"source,omitzero"` // according to its PROXY header
	Started  time.Time      `json:"started"`
	Phase    string         `json:"phase"` // reading, dialing, greeting, forwarding

	Route   string `json:"route,omitempty"`
	Why     string `json:"why,omitempty"`
	Name    string `json:"name,omitempty"`
	Group   string `json:"group,omitempty"`
	Backend string `json:"backend,omitempty"`

	Engine    string    `json:"engine,omitempty"`
	EngineWhy string    `json:"engine_why,omitempty"`
	Up        uint64    `json:"up"`
	Down      uint64    `json:"down"`
	Ended     string    `json:"ended,omitempty"` // the direction that has ended, up or down
	Quiet     time.Time `json:"quiet,omitzero"`  // since when nothing was moved, to a second
}

// Status returns the state of a forwarder, with at most limit connections, the oldest
// ones; all of them if limit is negative.
func (f *Forwarder) Status(limit int) *Status {
	s := &Status{PID: os.Getpid(), Started: f.started, Moving: make(map[string]int), LogLost: f.log.Load().Lost()}
	f.mu.Lock()
	s.Draining = f.draining
	for _, c := range f.config.Listeners {
		l := ListenerStatus{Name: c.Name, Address: c.Address, Engine: c.Engine}
		if open := f.listeners[c.Address]; open != nil {
			l.Address = open.addr
			s.Limit = open.service.Load().limits.Connections
		}
		s.Listeners = append(s.Listeners, l)
	}
	for _, g := range f.config.Groups {
		s.Backends = append(s.Backends, f.groups[g.Name].Status()...)
	}
	f.mu.Unlock()
	f.engines.each(func(name string, e engine.Engine, err error) {
		s.Engines = append(s.Engines, engineStatus(name, e, err))
	})
	s.Open = int(f.conns.count.Load())
	s.Connections = f.connections(limit, s.Moving)
	return s
}

// engineStatus asks an engine for its numbers.
func engineStatus(name string, e engine.Engine, err error) EngineStatus {
	s := EngineStatus{Name: name}
	if err != nil {
		s.Problem = err.Error()
		return s
	}
	s.Stats = statsOf(e)
	return s
}

// connections describes the oldest connections, and counts all by engine.
func (f *Forwarder) connections(limit int, moving map[string]int) []ConnStatus {
	type seen struct {
		conn  *conn
		quiet time.Time
	}
	var conns []seen
	f.conns.each(func(c *conn) {
		conns = append(conns, seen{c, c.watch.quiet})
		if phase(c.phase.Load()) == forwarding {
			moving[c.pair.State().Engine]++
		}
	})
	slices.SortFunc(conns, func(a, b seen) int { return cmp.Compare(a.conn.id, b.conn.id) })
	if limit >= 0 && len(conns) > limit {
		conns = conns[:limit]
	}
	list := make([]ConnStatus, len(conns))
	for i, s := range conns {
		list[i] = s.conn.status()
		list[i].Quiet = s.quiet
	}
	return list
}

// status describes a connection. It may have ended in the meantime.
func (c *conn) status() ConnStatus {
	p := phase(c.phase.Load())
	s := ConnStatus{ID: c.id, Listener: c.service.name, Client: c.peer, Started: c.start, Phase: p.String()}
	if p < dialing {
		return s
	}
	t := &c.target
	s.Route, s.Why, s.Name = t.route, t.why, t.name
	if t.group != nil {
		s.Group = t.group.Name()
	}
	if t.proxied {
		s.Source = t.source
	}
	if p < greeting {
		return s
	}
	s.Backend = c.backendName()
	if p < forwarding {
		return s
	}
	state := c.pair.State()
	s.Engine, s.EngineWhy = state.Engine, state.Why
	s.Up, s.Down = c.pair.Moved(engine.Up)+c.pair.Taken, c.pair.Moved(engine.Down)
	for _, d := range []engine.Direction{engine.Up, engine.Down} {
		if c.pair.Ended(d) {
			s.Ended = d.String()
		}
	}
	return s
}
