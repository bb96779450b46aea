package backend

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"
)

// keepChecked checks a backend until the context ends.
func (g *Group) keepChecked(ctx context.Context, b *Backend) {
	c := g.config.Check
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		err := g.check(ctx, b)
		if ctx.Err() != nil {
			return
		}
		g.checked(b, err, time.Since(began))
		timer.Reset(jitter(c.Interval))
	}
}

// jitter spreads what would otherwise happen at the same time in all groups and in all
// forwarders.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}

// check looks once whether a backend is well.
func (g *Group) check(ctx context.Context, b *Backend) error {
	c := g.config.Check
	to := b.addr
	if c.Port != 0 {
		to = netip.AddrPortFrom(to.Addr(), c.Port)
	}
	if g.config.Own.Contains(to) {
		return ErrLoop
	}
	deadline := time.Now().Add(c.Timeout)
	d := dialer{to: to, text: to.String(), timeout: c.Timeout, control: g.config.Control}
	conn, err := d.connect(ctx, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Close ends a probe that is under way when the group is closed.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_ = conn.SetDeadline(deadline) // fails only on a closed connection, as the probe then does
	err = c.probe(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &timeoutError{after: c.Timeout}
	}
	return err
}

// probe greets a backend and looks whether it is well.
func (c *Check) probe(conn net.Conn) error {
	if len(c.Greeting) > 0 {
		if _, err := conn.Write(c.Greeting); err != nil {
			return fmt.Errorf("send greeting: %w", cause(err))
		}
	}
	return c.Probe.Probe(conn)
}

// checked takes the result of a check.
func (g *Group) checked(b *Backend, err error, took time.Duration) {
	b.count.checks.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	h := &b.health
	h.latency = took
	before := h.down
	if err == nil || !local(err) {
		h.checkedAs(err, g.config.Check.Rise, g.config.Check.Fall)
	}
	if h.down != before {
		b.of.doubted()
		g.publish()
	}
}
