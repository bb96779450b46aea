//go:build !linux

package redirect

import (
	"context"
	"errors"
	"io"

	"github.com/waggle-bpf/waggle/load"
)

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

// Command is what is to run in a control group of its own.
type Command struct {
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Look fails.
func Look(string) error { return errSystem }

// Run fails.
func (*Child) Run(context.Context, *Command) error { return errSystem }
