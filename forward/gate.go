package forward

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

// Gate stands between the clients and the backends. It may hold a connection as long as
// there is no backend to dial: package wake starts one meanwhile.
type Gate interface {
	// Pass is called, on the connection's own goroutine, when it is known where it
	// goes. It calls dial when the backend can be dialled, again if it likes when
	// that gave an error, and returns as soon as dial has not: then leave, which is
	// called when both connections have been closed, and no error. Any other error
	// than dial's last should be a *TurnedAway. The context ends when the forwarder
	// is closed, or the connection's lifetime is over.
	Pass(ctx context.Context, c Caller, dial func() error) (leave func(), err error)
}

// Caller is a client at a gate.
type Caller struct {
	Source netip.AddrPort // who it is, according to a trusted PROXY header if there is one
	// Conn is its connection. Nothing else reads or writes it meanwhile. What was
	// read of it is First; what is read by the gate the backend won't get.
	Conn  *net.TCPConn
	First []byte
}

// TurnedAway is a gate's error for a client that it does not let through.
type TurnedAway struct {
	Reason string // one of a few, for metrics
	Err    error  // may be nil
	Polite bool   // the connection is ended with FIN, not with RST
}

func (t *TurnedAway) Error() string {
	if t.Err == nil {
		return t.Reason
	}
	return t.Reason + ": " + t.Err.Error()
}

func (t *TurnedAway) Unwrap() error { return t.Err }

// enter connects to a backend, through the gate if there is one.
func (c *conn) enter(ctx context.Context, o *opening) *refusal {
	f := c.listener.forwarder
	if f.gate == nil {
		return c.dial(ctx)
	}
	var r *refusal
	leave, err := f.gate.Pass(ctx, Caller{Source: c.target.source, Conn: c.client, First: o.payload()}, func() error {
		if r = c.dial(ctx); r != nil {
			return r.err
		}
		return nil
	})
	var away *TurnedAway
	switch {
	case err == nil:
		c.leave = leave
		return nil
	case f.ending.Load():
		return &refusal{reason: shutdown, err: err}
	case context.Cause(ctx) == errAged:
		return &refusal{reason: aged}
	case errors.As(err, &away):
		return &refusal{reason: away.Reason, err: away.Err, polite: away.Polite}
	case r != nil:
		return r
	}
	return &refusal{reason: failed, err: err}
}
