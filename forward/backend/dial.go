package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
)

// Group is the backends that connections are distributed over. Its methods may be
// called from any goroutine.
type Group struct {
	config   Config
	backends []*Backend
	next     atomic.Uint64
}

// New makes a group and begins to check it. Backends that previous has too keep their
// state and their counts; it may be nil, and is still to be closed.
func New(c Config, previous *Group) (*Group, error) {
	g := &Group{config: c}
	for _, t := range c.Targets {
		addr, err := netip.ParseAddrPort(t.Address)
		if err != nil {
			return nil, fmt.Errorf("make group %s: %w", c.Name, err)
		}
		g.backends = append(g.backends, &Backend{target: t.Address, addr: addr})
	}
	return g, nil
}

// Name is the group's name.
func (g *Group) Name() string { return g.config.Name }

// Dial connects to a backend: the one the policy picks for key, or another one if that
// doesn't answer. The connection has TCP_NODELAY set and no keep-alive. Whoever gets
// it calls the backend's Release when it has ended.
//
// The error is an *Unavailable, a *DialError or that of the context.
func (g *Group) Dial(ctx context.Context, key Key) (*net.TCPConn, *Backend, error) {
	return g.DialControl(ctx, key, nil)
}

// DialControl is Dial with socket options for this connection alone, set after those
// of the group's own Control. An error of either ends the dial.
func (g *Group) DialControl(ctx context.Context, key Key, control Control) (*net.TCPConn, *Backend, error) {
	b := g.backends[int(g.next.Add(1)%uint64(len(g.backends)))]
	d := net.Dialer{KeepAlive: -1, Timeout: g.config.ConnectTimeout}
	conn, err := d.DialContext(ctx, "tcp", b.addr.String())
	if err != nil {
		return nil, nil, &DialError{Group: g.config.Name, Attempts: []Attempt{{b, err}}}
	}
	b.active.Add(1)
	return conn.(*net.TCPConn), b, nil
}

// Adopt counts a connection that was dialled by somebody else, a process before this
// one. It returns nil if the group has no backend of that address.
func (g *Group) Adopt(addr netip.AddrPort) *Backend {
	for _, b := range g.backends {
		if b.addr == addr {
			b.active.Add(1)
			return b
		}
	}
	return nil
}

// Status returns the state of all backends, in the order of the configuration.
func (g *Group) Status() []Status {
	var list []Status
	for _, b := range g.backends {
		list = append(list, Status{Group: g.config.Name, Target: b.target, Addr: b.addr, State: Up, Active: b.Active()})
	}
	return list
}

// Close ends the checks. Connections stay as they are.
func (g *Group) Close() error { return nil }

func (e *Unavailable) Error() string {
	return fmt.Sprintf("dial group %s: no backend is up", e.Group)
}

func (e *DialError) Error() string {
	var list []string
	for _, a := range e.Attempts {
		list = append(list, fmt.Sprintf("%s: %v", a.Backend, a.Err))
	}
	return fmt.Sprintf("dial group %s: %s", e.Group, strings.Join(list, "; "))
}

// Unwrap returns the errors of the attempts.
func (e *DialError) Unwrap() []error {
	list := make([]error, len(e.Attempts))
	for i, a := range e.Attempts {
		list[i] = a.Err
	}
	return list
}

// Reason puts an error of Dial into one of a few words, for metrics: "refused",
// "timeout", "unreachable", "reset", "no ports", "no descriptors", "no backend up",
// "canceled", "other".
func Reason(err error) string {
	var u *Unavailable
	if errors.As(err, &u) {
		return "no backend up"
	}
	return "other"
}
