package backend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Group is the backends that connections are distributed over. Its methods may be
// called from any goroutine.
type Group struct {
	config Config
	turn   atomic.Uint64
	set    atomic.Pointer[set] // those that are up
	ready  chan struct{}       // closed when every name was looked up once

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	targets []*target
	waiting int // names that were not looked up yet
	closed  bool
}

// target is a configured address with the backends that it stands for.
type target struct {
	Target
	host     string
	port     uint16
	name     bool // host is a name
	backends []*Backend
	since    time.Time // of the last answer that changed anything
	asked    time.Time // when the last look-up began
	err      error     // how it ended
	doubt    chan struct{}
}

// doubted makes the target's name be looked up soon: a backend that doesn't answer may
// have moved.
func (t *target) doubted() {
	select {
	case t.doubt <- struct{}{}:
	default: // it will be, or there is no name
	}
}

// New makes a group and begins to check it. Backends that previous has too keep their
// state and their counts; previous may be nil, and is still to be closed.
func New(c Config, previous *Group) (*Group, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("make group %s: %w", c.Name, err)
	}
	g := &Group{config: c.complete(), ready: make(chan struct{})}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	heritage := previous.bequeath()
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for _, ct := range g.config.Targets {
		setDefault(&ct.Weight, 1)
		host, port, _ := SplitAddress(ct.Address) // validated
		t := &target{Target: ct, host: host, port: port, since: now}
		g.targets = append(g.targets, t)
		if addr, err := netip.ParseAddr(host); err == nil {
			g.setAddrs(t, []netip.Addr{addr}, heritage.backends)
			continue
		}
		t.name = true
		t.doubt = make(chan struct{}, 1)
		t.err = errors.New("the name was not looked up yet")
		g.setAddrs(t, heritage.names[host], heritage.backends)
		g.waiting++
		g.work.Go(func() { g.keepResolved(t) })
	}
	if g.waiting == 0 {
		close(g.ready)
	}
	g.publish()
	return g, nil
}

// Name is the group's name.
func (g *Group) Name() string { return g.config.Name }

// ConnectTimeout is how long one attempt to dial may take.
func (g *Group) ConnectTimeout() time.Duration { return g.config.ConnectTimeout }

// Close ends the checks and waits for those under way. Connections stay as they are.
func (g *Group) Close() error {
	g.cancel()
	g.mu.Lock()
	g.closed = true
	for _, t := range g.targets {
		for _, b := range t.backends {
			g.retire(b)
		}
	}
	g.mu.Unlock()
	g.work.Wait()
	return nil
}

// heritage is what a group leaves to the one that takes its place.
type heritage struct {
	names    map[string][]netip.Addr
	backends map[netip.AddrPort]heir
}

// heir is what is left of a backend.
type heir struct {
	count   *counters
	health  health
	suspect bool
}

// bequeath returns what a group, which may be nil, leaves.
func (g *Group) bequeath() heritage {
	h := heritage{make(map[string][]netip.Addr), make(map[netip.AddrPort]heir)}
	if g == nil {
		return h
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.targets {
		for _, b := range t.backends {
			h.backends[b.addr] = heir{b.count, b.health.passOn(), b.suspect.Load()}
			if t.name {
				h.names[t.host] = append(h.names[t.host], b.addr.Addr())
			}
		}
	}
	return h
}

// setAddrs gives a target its backends: those it had, those another group had, new ones.
// An address that another target has too is that one's.
func (g *Group) setAddrs(t *target, addrs []netip.Addr, heirs map[netip.AddrPort]heir) {
	old := t.backends
	t.backends = nil
	for _, a := range addrs {
		addr := netip.AddrPortFrom(a.Unmap(), t.port)
		if g.find(addr) != nil {
			continue
		}
		i := indexAddr(old, addr)
		if i < 0 {
			t.backends = append(t.backends, g.makeBackend(t, addr, heirs))
			continue
		}
		t.backends = append(t.backends, old[i])
	}
	for _, b := range old {
		if indexAddr(t.backends, b.addr) < 0 {
			g.retire(b)
		}
	}
}

func indexAddr(list []*Backend, addr netip.AddrPort) int {
	for i, b := range list {
		if b.addr == addr {
			return i
		}
	}
	return -1
}

// makeBackend makes a backend, as an heir if there is one, and begins to check it.
func (g *Group) makeBackend(t *target, addr netip.AddrPort, heirs map[netip.AddrPort]heir) *Backend {
	b := &Backend{
		of:     t,
		target: t.Address,
		addr:   addr,
		weight: t.Weight,
		seed:   hashString(addr.String()),
		dialer: dialer{to: addr, text: addr.String(), timeout: g.config.ConnectTimeout, control: g.config.Control},
		count:  new(counters),
		health: health{state: Up, since: time.Now()},
	}
	if h, ok := heirs[addr]; ok {
		b.count, b.health = h.count, h.health
		b.suspect.Store(h.suspect)
		// Nobody would find out that it is up again.
		b.health.down = b.health.down && g.config.Check != nil
		if left := time.Until(b.health.until); left > 0 {
			g.readmitAfter(b, left)
		}
	}
	if g.config.Check != nil {
		ctx, cancel := context.WithCancel(g.ctx)
		b.health.stop = cancel
		g.work.Go(func() { g.keepChecked(ctx, b) })
	}
	return b
}

// retire ends what goes on about a backend.
func (g *Group) retire(b *Backend) {
	if b.health.stop != nil {
		b.health.stop()
	}
	if b.health.timer != nil {
		b.health.timer.Stop()
	}
}

// find returns the backend of an address.
func (g *Group) find(addr netip.AddrPort) *Backend {
	for _, t := range g.targets {
		if i := indexAddr(t.backends, addr); i >= 0 {
			return t.backends[i]
		}
	}
	return nil
}

// publish makes the set that connections go to and then tells of changed states. The
// mutex is held.
func (g *Group) publish() {
	now := time.Now()
	var up, changed []*Backend
	for _, t := range g.targets {
		for _, b := range t.backends {
			state, _ := b.health.judge(now)
			if state == Up {
				up = append(up, b)
			}
			if state != b.health.state {
				b.health.state, b.health.since = state, now
				changed = append(changed, b)
			}
		}
	}
	g.set.Store(newSet(up, g.config.Policy))
	if g.config.OnChange == nil {
		return
	}
	for _, b := range changed {
		g.config.OnChange(g.statusOf(b, now))
	}
}

// Status returns the state of all backends, in the order of the configuration.
func (g *Group) Status() []Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	var list []Status
	for _, t := range g.targets {
		for _, b := range t.backends {
			list = append(list, g.statusOf(b, now))
		}
		if len(t.backends) == 0 && t.name {
			s := Status{Group: g.config.Name, Target: t.Address, Weight: t.Weight, State: Unresolved, Since: t.since}
			if t.err != nil {
				s.Why = t.err.Error()
			}
			list = append(list, s)
		}
	}
	return list
}

func (g *Group) statusOf(b *Backend, now time.Time) Status {
	h := &b.health
	s := Status{
		Group: g.config.Name, Target: b.target, Addr: b.addr, Weight: b.weight,
		Since:  h.since,
		Active: b.Active(), Dials: b.count.dials.Load(), Failed: b.count.failed.Load(), Checks: b.count.checks.Load(),
		Latency: h.latency,
	}
	var why error
	s.State, why = h.judge(now)
	switch {
	case g.config.Own.Contains(b.addr):
		s.State, why = Loop, ErrLoop
	case s.State == Ejected:
		s.Until = h.until
	}
	if why != nil {
		s.Why = why.Error()
	}
	return s
}
