package redirect

import (
	"errors"
	"fmt"

	"github.com/waggle-bpf/waggle/redirect/kern"
)

// DefaultMark is the bound of what a reader may leave unread in the short cut of a
// direction, in bytes.
const DefaultMark = 1 << 20

// The limits of a mark: room for a few messages, and what fits into a machine.
const (
	MinMark = 16 << 10
	MaxMark = 1 << 30
)

// Options say whose connections are taken. Both ends have to belong.
type Options struct {
	// Cgroups are directories of control groups (version 2), with those below them.
	Cgroups []string
	// PIDs are processes, with their descendants: connections that one of them makes
	// to a port where one of them listens, and no others of their control groups.
	PIDs []int
	// Ports, if there are any, are the only server ports.
	Ports []uint16
	// Mark is how much a reader may leave unread, in bytes; each message counts 1024
	// beside its length. DefaultMark if it is 0. Directions in which a quarter of it
	// is sent without an answer are bulk, which TCP carries better.
	Mark uint64
	// WholeMachine allows the root of the control groups.
	WholeMachine bool
	// MaxConnections is how many connections there may be at a time, half a KiB of
	// kernel memory each; kern.MaxConns if it is 0. More go through TCP.
	MaxConnections int
	// Notice is told what the user should know, one line at a time. It may be called
	// from several goroutines.
	Notice func(string)
}

// InputError is an error in what the options say.
type InputError struct{ err error }

func (e *InputError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *InputError) Unwrap() error { return e.err }

func inputErrorf(format string, args ...any) error {
	return &InputError{fmt.Errorf(format, args...)}
}

// ErrRoot is the error of a control group that is the whole machine.
var ErrRoot = errors.New("it is the root, which holds the whole machine")

// EndedError says that a command has failed by itself.
type EndedError struct {
	Name string
	Code int // its exit code, or 128 and the signal's number
}

func (e *EndedError) Error() string {
	const bySignal = 128
	if e.Code > bySignal {
		return fmt.Sprintf("%s was ended by signal %d", e.Name, e.Code-bySignal)
	}
	return fmt.Sprintf("%s ended with exit code %d", e.Name, e.Code)
}

func (o *Options) complete() error {
	if len(o.Cgroups) == 0 && len(o.PIDs) == 0 {
		return inputErrorf("nothing to short-cut: name control groups, processes or a command")
	}
	if o.Mark == 0 {
		o.Mark = DefaultMark
	}
	if o.Mark < MinMark || o.Mark > MaxMark {
		return inputErrorf("mark of %d bytes: it may be %d to %d", o.Mark, MinMark, MaxMark)
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = kern.MaxConns
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	return nil
}
