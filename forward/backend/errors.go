package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// ErrLoop is why a group doesn't dial a listener of its own process.
var ErrLoop = errors.New("it is a listener of this process, so the connection would come back")

// Unavailable is the error for a group none of whose backends is up.
type Unavailable struct {
	Group    string
	Backends []Status
}

func (e *Unavailable) Error() string {
	var list []string
	for _, s := range e.Backends {
		text := s.Target + ": " + string(s.State)
		if s.Why != "" {
			text += " (" + s.Why + ")"
		}
		list = append(list, text)
	}
	return fmt.Sprintf("dial group %s: no backend is up: %s", e.Group, strings.Join(list, "; "))
}

// DialError is why none of the backends that were tried gave a connection.
type DialError struct {
	Group    string
	Attempts []Attempt // in order, at least one
}

// Attempt is one dial that went wrong.
type Attempt struct {
	Backend *Backend
	Err     error
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

// controlError is what a Control returned.
type controlError struct{ err error }

func (e *controlError) Error() string { return "set socket options: " + e.err.Error() }
func (e *controlError) Unwrap() error { return e.err }

// timeoutError is that a backend took too long.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string        { return fmt.Sprintf("no answer in %v", e.after) }
func (e *timeoutError) Timeout() bool        { return true }
func (e *timeoutError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// ended is the error of a context that has ended, with the cause if it has one of its own.
func ended(ctx context.Context) error {
	err, why := ctx.Err(), context.Cause(ctx)
	if errors.Is(why, err) {
		return why
	}
	return fmt.Errorf("%w: %w", err, why)
}

// cause takes from an error of package net what the caller says itself: the operation
// and the addresses.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}

// causes are the reasons for a failed dial; the first that fits is told. Those which
// are local say nothing about the backend: they don't count against it.
var causes = []struct {
	reason string
	local  bool
	is     func(error) bool
}{
	{"canceled", true, isOf(context.Canceled, context.DeadlineExceeded)},
	{"loop", true, isOf(ErrLoop)},
	{"options", true, func(err error) bool { var c *controlError; return errors.As(err, &c) }},
	{"no descriptors", true, isOf(syscall.EMFILE, syscall.ENFILE)},
	{"no memory", true, isOf(syscall.ENOBUFS, syscall.ENOMEM)},
	{"no ports", true, isOf(syscall.EADDRNOTAVAIL)},
	{"denied", true, isOf(syscall.EPERM, syscall.EACCES)},
	{"refused", false, isOf(syscall.ECONNREFUSED)},
	{"reset", false, isOf(syscall.ECONNRESET, syscall.ECONNABORTED, io.EOF)},
	{"unreachable", false, isOf(syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN)},
	{"timeout", false, isOf(os.ErrDeadlineExceeded, syscall.ETIMEDOUT)},
}

func isOf(targets ...error) func(error) bool {
	return func(err error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
}

const (
	unavailable = "no backend up"
	otherCause  = "other"
)

// Reasons are all the words that Reason uses.
func Reasons() []string {
	list := []string{unavailable, otherCause}
	for _, c := range causes {
		list = append(list, c.reason)
	}
	return list
}

// Reason puts an error of Dial into a few words, the same for all errors of a kind, for
// metrics. Of several attempts the last counts.
func Reason(err error) string {
	var u *Unavailable
	if errors.As(err, &u) {
		return unavailable
	}
	var d *DialError
	if errors.As(err, &d) {
		err = d.Attempts[len(d.Attempts)-1].Err
	}
	for _, c := range causes {
		if c.is(err) {
			return c.reason
		}
	}
	return otherCause
}

// Local tells whether an error of Dial says nothing about the backend: it is this
// machine that lacks something, or whoever dialled does not want it any more.
func Local(err error) bool { return local(err) }

// local tells whether an error says nothing about the backend.
func local(err error) bool {
	for _, c := range causes {
		if c.is(err) {
			return c.local
		}
	}
	return false
}

// hopeless tells whether another backend would give the same error.
func hopeless(err error) bool {
	var c *controlError
	return errors.As(err, &c) || isOf(syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM)(err)
}
