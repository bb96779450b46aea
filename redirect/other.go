//go:build !linux

package redirect

import (
	"errors"

	"github.com/waggle-bpf/waggle/load"
)

// ErrRoot is the error of a control group that is the whole machine.
var ErrRoot = errors.New("it is the root of the control groups")

var errSystem = &load.UnsupportedError{Feature: "BPF", Err: errors.New("this system is not Linux")}

// Session is the short cut in operation.
type Session struct{}

// Start fails: only Linux has socket maps.
func Start(Options) (*Session, error) { return nil, errSystem }

// Summary returns the account so far.
func (*Session) Summary() (Summary, error) { return Summary{}, errSystem }

// Connections lists the open connections.
func (*Session) Connections(int) []Connection { return nil }

// Close ends the short cut.
func (*Session) Close() (Summary, error) { return Summary{}, errSystem }

// Child is a control group for a command.
type Child struct{ Path string }

// NewChild fails: only Linux has control groups.
func NewChild() (*Child, error) { return nil, errSystem }

// Remove removes the group.
func (*Child) Remove() error { return errSystem }
