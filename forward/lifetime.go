package forward

import (
	"context"
	"errors"
	"time"
)

// errAged says that a connection has had its lifetime before it was forwarded. After that,
// the janitor sees to it.
var errAged = errors.New("its lifetime is over")

// aged tells whether it is so.
func (c *conn) aged() bool {
	d := c.service.timeouts.Lifetime
	return d > 0 && time.Since(c.start) >= d
}

// lifetime is a context that ends with the forwarder, or with the connection's lifetime:
// then errAged is the cause.
func (c *conn) lifetime() (context.Context, context.CancelFunc) {
	ctx, d := c.listener.forwarder.ctx, c.service.timeouts.Lifetime
	if d == 0 {
		return ctx, func() {}
	}
	return context.WithDeadlineCause(ctx, c.start.Add(d), errAged)
}

// shorter is the shorter one of two time-outs, of which none is 0.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
