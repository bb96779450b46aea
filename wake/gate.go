package wake

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/head"
)

// Why clients are not let through, in a few words, for metrics and the access log.
const (
	reasonFailed  = "target failed"
	reasonTooMany = "too many clients held"
	reasonTooLong = "held too long"
	reasonEnding  = "shutdown"
	reasonLeft    = "client closed"
)

// reasonOf puts why a client is turned away in a few words, and tells whether they say
// all.
func reasonOf(why error) (reason string, all bool) {
	switch why {
	case errTooMany:
		return reasonTooMany, true
	case errTooLong:
		return reasonTooLong, true
	case errEnding:
		return reasonEnding, true
	}
	return reasonFailed, false
}

// Pass lets a client through when the target is ready; see forward.Gate.
func (w *Waker) Pass(ctx context.Context, caller forward.Caller, dial func() error) (leave func(), err error) {
	// The machine gives two verdicts at most before it hears of the client again: hold
	// and then another one.
	c := &client{source: caller.Source, verdicts: make(chan effect, 2)}
	if !w.tell(event{kind: clientCame, client: c}) {
		return nil, w.turnAway(ctx, caller, errEnding)
	}
	gone := func() { w.tell(event{kind: clientGone, client: c}) }
	for {
		if err := w.hold(ctx, caller, c); err != nil {
			return nil, err
		}
		switch err := dial(); {
		case err == nil:
			w.tell(event{kind: clientDialed, client: c})
			return gone, nil
		case backend.Local(err):
			gone()
			return nil, err
		default:
			w.tell(event{kind: clientMissed, client: c, err: err})
		}
	}
}

// hold waits for a verdict, and meanwhile for the client to leave. No error lets it
// through.
func (w *Waker) hold(ctx context.Context, caller forward.Caller, c *client) error {
	verdict := <-c.verdicts
	if verdict.kind == holdClient {
		left, release := watch(caller)
		var err error
		select {
		case verdict = <-c.verdicts:
		case <-left:
			err = &forward.TurnedAway{Reason: reasonLeft, Polite: true}
		case <-ctx.Done():
			err = ctx.Err()
		}
		release()
		if err != nil {
			w.tell(event{kind: clientGone, client: c})
			return err
		}
	}
	if verdict.kind == refuseClient {
		return w.turnAway(ctx, caller, verdict.err)
	}
	return nil
}

// watch watches whether a client leaves, until release is called.
func watch(caller forward.Caller) (left <-chan struct{}, release func()) {
	gone, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		raw, err := caller.Conn.SyscallConn()
		if err != nil {
			return // it is closed, which ends the context, too
		}
		// The function is called again whenever something has come or the peer
		// has ended. The error is that of the deadline below.
		if raw.Read(func(fd uintptr) bool { return hasLeft(fd, caller.First) }) == nil {
			close(gone)
		}
	}()
	return gone, func() {
		_ = caller.Conn.SetReadDeadline(past)
		<-done
		_ = caller.Conn.SetReadDeadline(time.Time{})
	}
}

// past is a deadline that wakes who waits.
var past = time.Unix(1, 0)

// ended tells whether a client whose stream has ended has left, by what it has said. A
// client that has said nothing has. One that has may only have ended what it sends and
// wait for the answer (half-close), so it stays. HTTP is the exception: its clients
// don't do that, and its servers, too, take such a one for a client that has given up.
func ended(said []byte) bool { return len(said) == 0 || speaksHTTP(said) }

func speaksHTTP(said []byte) bool {
	var p head.Parser
	p.Parse(said)
	return p.Head().Protocol == head.HTTP
}

// How long a client that is turned away gets to say something that shows whether it
// speaks HTTP, and to take the answer.
const (
	sayTime  = 250 * time.Millisecond
	takeTime = 2 * time.Second
)

// turnAway returns the error for a client that can't be forwarded, after telling it if
// it can be told: others are reset, since whatever they speak, nothing must be faked.
func (w *Waker) turnAway(ctx context.Context, caller forward.Caller, why error) error {
	reason, known := reasonOf(why)
	away := &forward.TurnedAway{Reason: reason}
	if !known {
		away.Err = why
	}
	defer context.AfterFunc(ctx, func() { _ = caller.Conn.SetDeadline(past) })()
	_ = caller.Conn.SetReadDeadline(time.Now().Add(sayTime))
	said := firstBytes(caller)
	if !speaksHTTP(said) {
		return away
	}
	_ = caller.Conn.SetDeadline(time.Now().Add(takeTime))
	away.Polite = unavailable(caller.Conn, said, w.retryAfter()) == nil
	return away
}

// firstBytes waits for what the client says first, and leaves it where it is.
func firstBytes(caller forward.Caller) []byte {
	said := make([]byte, 4<<10)
	n := copy(said, caller.First)
	raw, err := caller.Conn.SyscallConn()
	if err != nil {
		return said[:n]
	}
	_ = raw.Read(func(fd uintptr) bool {
		more, err := peek(fd, said[n:])
		if err == nil {
			n += more
		}
		return !errors.Is(err, errNothing) || n > 0
	})
	return said[:n]
}

// retryAfter is when it is worth to come again, in seconds.
func (w *Waker) retryAfter() int {
	wait := time.Until(time.Unix(0, w.retryAt.Load()))
	return int(min(max(wait, 0), maxStartPause)/time.Second) + 1
}

// unavailable answers a request (RFC 9110, 15.6.4 and 10.2.3). Then it reads what the
// client has sent: unread, it would make a reset of the connection's end, which can
// take the answer with it.
func unavailable(c *net.TCPConn, request []byte, retryAfter int) error {
	if _, err := c.Write(response(request, retryAfter)); err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	const most = 1 << 20
	_, err := io.CopyN(io.Discard, c, most)
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}
