package forward

import (
	"encoding/json"
	"math"
	"net/netip"
	"time"

	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/engine"
)

// adopted is what is special about a connection that another process has left.
type adopted struct {
	engine  engine.Engine
	backend netip.AddrPort
}

// note is what the process that adopts a connection is told of it. There is little room
// for it, see engine.MaxNote.
type note struct {
	Listener string         `json:"l"`
	Started  int64          `json:"t"` // in ms since 1970
	Source   netip.AddrPort `json:"s,omitzero"`
	Group    string         `json:"g,omitempty"`
	Route    string         `json:"r,omitempty"`
	Why      string         `json:"w,omitempty"`
	Name     string         `json:"n,omitempty"`
}

// note writes a connection's note. If it gets too long, what tells least is left out.
func (c *conn) note() []byte {
	t := &c.target
	n := note{
		Listener: c.service.name, Started: c.start.UnixMilli(), Group: t.group.Name(),
		Route: t.route, Why: t.why, Name: t.name,
	}
	if t.proxied {
		n.Source = t.source
	}
	for _, least := range []*string{&n.Why, &n.Name, &n.Route} {
		if b, err := json.Marshal(n); err == nil && len(b) <= engine.MaxNote {
			return b
		}
		*least = ""
	}
	b, _ := json.Marshal(n)
	if len(b) > engine.MaxNote {
		return nil
	}
	return b
}

// adopt takes in the connections that engines have taken over from processes that have
// ended. They count like our own, but are never refused: they are there.
func (f *Forwarder) adopt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.draining || f.closed {
		return
	}
	f.engines.each(func(_ string, e engine.Engine, err error) {
		adopter, ok := e.(engine.Adopter)
		if err != nil || !ok {
			return
		}
		for _, a := range adopter.Adopt() {
			f.takeIn(adopter, &a)
		}
	})
}

// takeIn begins to serve an adopted connection. The mutex is held.
func (f *Forwarder) takeIn(e engine.Adopter, a *engine.Adoption) {
	var n note
	if json.Unmarshal(a.Note, &n) != nil {
		n = note{Started: a.Active.UnixMilli()} // another version's; that much is sure
	}
	l := f.adopter(n.Listener, a.Local)
	c := &conn{
		listener: l, service: l.service.Load(), peer: a.Client, start: time.UnixMilli(n.Started),
		pair: a.Pair, adopted: &adopted{e, a.Backend},
		target: target{source: a.Client, local: a.Local, route: n.Route, why: n.Why, name: n.Name},
	}
	if n.Source.IsValid() {
		c.target.source, c.target.proxied = n.Source, true
	}
	c.target.group, c.backend = f.adoptBackend(n.Group, a.Backend)
	c.watch.quiet = a.Active
	for d := range c.watch.moved { // who has left it has counted that
		c.watch.moved[d] = a.Pair.Moved(engine.Direction(d))
	}
	c.phase.Store(int32(forwarding))
	f.conns.reserve(math.MaxInt)
	if c.service.limits.PerSource > 0 {
		c.counted = sourceOf(c.target.source.Addr())
		f.sources.enter(c.counted, math.MaxInt)
	}
	c.service.metrics.Adopted()
	f.conns.add(c)
	go c.serve()
}

// adopter returns the listener that an adopted connection counts for: the one of that
// name, or that address, or one made up for it.
func (f *Forwarder) adopter(name string, local netip.AddrPort) *listener {
	var found *listener
	for _, l := range f.listeners {
		switch {
		case l.service.Load().name == name:
			return l
		case sameListener(l.addr, local) || l.addr.Addr().IsUnspecified() && l.addr.Port() == local.Port():
			found = l
		}
	}
	if found != nil {
		return found
	}
	if name == "" {
		name = local.String()
	}
	limits := f.config.Limits
	f.files.bound(&limits, func(string, ...any) {})
	l := &listener{forwarder: f, addr: local}
	l.service.Store(&service{name: name, timeouts: f.config.Timeouts, limits: limits, metrics: f.metrics.Listener(name)})
	return l
}

// adoptBackend counts an adopted connection for its backend: that of the group, or of
// any other, if there is one.
func (f *Forwarder) adoptBackend(name string, addr netip.AddrPort) (*group, *backend.Backend) {
	if g := f.groups[name]; g != nil {
		if b := g.Adopt(addr); b != nil {
			return g, b
		}
	}
	for _, c := range f.config.Groups {
		if b := f.groups[c.Name].Adopt(addr); b != nil {
			return f.groups[c.Name], b
		}
	}
	return f.groups[name], nil
}
