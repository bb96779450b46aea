// Package engine says what an engine is: what moves the bytes of a connection once
// it is known where it goes. The engines are the packages below this one; which of
// them a connection gets, and why, is recorded in its Pair.
package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Engine moves the bytes of pairs. Its methods may be called from any goroutine.
type Engine interface {
	// Name is what --engine, the access log and the metrics call it.
	Name() string

	// Forward moves bytes in both directions until both have ended, the pair is
	// aborted or a connection breaks, and returns how it ended. It passes on the
	// end of either direction by itself (half-close) and leaves closing the two
	// connections to its caller.
	//
	// An engine that can't do it for this pair returns an End whose Err is a
	// *Refusal before it has taken a byte: then another engine may.
	Forward(p *Pair) End

	// Close gives back what the engine holds. No Forward may run any more.
	Close() error
}

// Preparer is an engine that sees the socket of a connection to a backend, and whom it
// is for, before it is made, to set options that let the two go together.
type Preparer interface {
	Prepare(client *net.TCPConn, socket int, backend netip.AddrPort) error
}

// Refusal says why an engine does not take a pair, or can't run here at all.
type Refusal struct {
	// Reason is a few words, the same for all pairs of that kind: it is counted
	// ("no timestamps", "socket map full").
	Reason string
	// Err is the cause, if there is one.
	Err error
}

// Refuse returns a refusal.
func Refuse(reason string, err error) *Refusal { return &Refusal{Reason: reason, Err: err} }

func (r *Refusal) Error() string {
	if r.Err == nil {
		return r.Reason
	}
	return fmt.Sprintf("%s: %v", r.Reason, r.Err)
}

func (r *Refusal) Unwrap() error { return r.Err }

// End is how a forwarded connection ended.
type End struct {
	Cause Cause
	// Err is the error behind the cause, nil for a clean end. If it is a
	// *Refusal, nothing was forwarded.
	Err error
}

// Refused returns the refusal if the engine did not take the pair.
func (e End) Refused() (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(e.Err, &r)
	return r, ok
}

// Cause is the close reason of the access log.
type Cause string

// The causes an engine can report, and those for which its caller aborts a pair.
const (
	ClientClosed  Cause = "client closed"  // both directions ended, the client's first
	BackendClosed Cause = "backend closed" // both directions ended, the backend's first
	ClientReset   Cause = "client reset"
	BackendReset  Cause = "backend reset"
	Failed        Cause = "failed" // an error on our side; see End.Err

	IdleTimeout      Cause = "idle timeout"
	LifetimeTimeout  Cause = "lifetime exceeded"
	HalfCloseTimeout Cause = "half-close timeout"
	Shutdown         Cause = "shutdown"
	Loop             Cause = "loop" // the client turned out to be the forwarder
)
