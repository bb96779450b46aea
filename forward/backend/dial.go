package backend

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Dial connects to a backend: the one the policy picks for key, or another one if that
// doesn't answer. The connection has TCP_NODELAY set and no keep-alive. Whoever gets
// it calls the backend's Release when it has ended.
//
// The error is an *Unavailable or a *DialError, or it is ctx's.
func (g *Group) Dial(ctx context.Context, key Key) (*net.TCPConn, *Backend, error) {
	return g.DialControl(ctx, key, nil)
}

// DialControl is Dial with socket options for this connection alone, set before those
// of the group's own Control. An error of either ends the dial.
func (g *Group) DialControl(ctx context.Context, key Key, control Control) (*net.TCPConn, *Backend, error) {
	s := g.set.Load()
	if len(s.members) == 0 {
		var err error
		if s, err = g.wait(ctx); err != nil {
			return nil, nil, err
		}
	}
	var tried []Attempt
	for len(tried) < g.config.Attempts {
		b := s.pick(g.config.Policy, g.turn.Add(1), key, tried)
		if b == nil {
			break
		}
		conn, err := g.attempt(ctx, b, control)
		if err == nil {
			return conn, b, nil
		}
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("dial group %s: %s: %w", g.config.Name, b, err)
		}
		tried = append(tried, Attempt{b, err})
		if hopeless(err) {
			break
		}
	}
	return nil, nil, &DialError{Group: g.config.Name, Attempts: tried}
}

// wait returns the backends that are up, after those that have to be looked up first.
func (g *Group) wait(ctx context.Context) (*set, error) {
	timer := time.NewTimer(g.config.ConnectTimeout)
	defer timer.Stop()
	select {
	case <-g.ready:
	case <-timer.C:
	case <-g.ctx.Done():
	case <-ctx.Done():
		return nil, fmt.Errorf("dial group %s: look up its backends: %w", g.config.Name, ended(ctx))
	}
	if s := g.set.Load(); len(s.members) > 0 {
		return s, nil
	}
	return nil, &Unavailable{Group: g.config.Name, Backends: g.Status()}
}

// attempt dials one backend. The dial counts as a connection from its beginning, so that
// many at a time don't all go to the same one.
func (g *Group) attempt(ctx context.Context, b *Backend, control Control) (*net.TCPConn, error) {
	if g.config.Own.Contains(b.addr) {
		return nil, ErrLoop
	}
	b.count.active.Add(1)
	b.count.dials.Add(1)
	conn, err := b.dialer.connect(ctx, control)
	if err == nil {
		if b.suspect.Load() {
			g.dialed(b)
		}
		return conn, nil
	}
	b.count.active.Add(-1)
	if ctx.Err() == nil {
		b.count.failed.Add(1)
		if !local(err) {
			g.dialFailed(b, err)
		}
	}
	return nil, err
}

// dialed forgives a backend what went wrong before.
func (g *Group) dialed(b *Backend) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b.suspect.Store(false)
	before, _ := b.health.judge(time.Now())
	b.health.forgive()
	if before == Ejected {
		g.publish()
	}
}

// dialFailed remembers what went wrong and ejects the backend if that was enough.
func (g *Group) dialFailed(b *Backend, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b.suspect.Store(true)
	b.of.doubted()
	now := time.Now()
	if state, _ := b.health.judge(now); state != Up {
		return // the dial began before that was known
	}
	after := b.health.dialFailed(err, g.config.Eject)
	if after <= 0 || g.closed || len(g.set.Load().members) <= 1 {
		return
	}
	b.health.eject(now.Add(after))
	g.readmitAfter(b, after)
	g.publish()
}

// readmitAfter ends an ejection when its time is over.
func (g *Group) readmitAfter(b *Backend, after time.Duration) {
	b.health.timer = time.AfterFunc(after, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !g.closed {
			g.publish()
		}
	})
}

// Adopt counts a connection that was dialled by somebody else, a process before this
// one. It returns nil if the group has no backend of that address.
func (g *Group) Adopt(addr netip.AddrPort) *Backend {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.find(plain(addr))
	if b != nil {
		b.count.active.Add(1)
	}
	return b
}
