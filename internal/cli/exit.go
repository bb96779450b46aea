package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/idle"
	"github.com/waggle-bpf/waggle/internal/compiler/diag"
	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/redirect"
)

// The exit codes; docs/cli.md explains them to users.
const (
	exitOK          = 0
	exitFailure     = 1
	exitInput       = 2 // bad input or configuration
	exitFault       = 3 // a kernel program faulted
	exitUnsupported = 4 // missing privilege or kernel feature
	// A service that waggle idle runs, and that ends by itself, gives its own, as does
	// a command that waggle redirect runs.
)

// exits says which errors give which code, first match first; all others
// give exitFailure.
var exits = []struct {
	code int
	is   func(error) bool
}{
	{exitOK, func(err error) bool { return err == nil }},
	{exitInput, is[diag.List]},
	{exitInput, is[*diag.Diagnostic]},
	{exitInput, is[*inputError]},
	{exitInput, is[config.Errors]},
	{exitFault, is[*faultError]},
	{exitUnsupported, is[*load.PrivilegeError]},
	{exitUnsupported, func(err error) bool { return errors.Is(err, load.ErrNotSupported) }},
	{exitUnsupported, is[*engine.Refusal]},
	{exitUnsupported, is[*deniedError]},
}

// exitCode is the exit code for how a command ended.
func exitCode(err error) int {
	var ended *idle.EndedError
	if errors.As(err, &ended) {
		return ended.Code
	}
	var command *redirect.EndedError
	if errors.As(err, &command) {
		return command.Code
	}
	for _, e := range exits {
		if e.is(err) {
			return e.code
		}
	}
	return exitFailure
}

// report prints what a user has to know of an error and returns the exit code.
func report(stderr io.Writer, err error) int {
	err = heard(err)
	code := exitCode(err)
	if code != exitOK {
		printError(stderr, err)
	}
	return code
}

// heard leaves out of an error that nobody reads our output any more: who has seen
// enough wants no message about it, but may want the others.
func heard(err error) error {
	if !errors.Is(err, syscall.EPIPE) {
		return err
	}
	var rest []error
	for _, part := range joined(err) {
		rest = append(rest, heard(part))
	}
	return errors.Join(rest...)
}

// printError prints an error, and each one of those that were joined, on lines of
// their own. They begin with the command's name, or with a source position or
// "fault:" as they are, a form that editors and people read.
func printError(stderr io.Writer, err error) {
	if list := joined(err); list != nil {
		for _, err := range list {
			printError(stderr, err)
		}
		return
	}
	prefix := "waggle: "
	if located(err) {
		prefix = ""
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(stderr, prefix+strings.TrimRight(line, "\n"))
	}
}

// joined returns the errors that errors.Join made one of, nil if it didn't.
func joined(err error) []error {
	tree, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var texts []string
	for _, err := range tree.Unwrap() {
		texts = append(texts, err.Error())
	}
	if strings.Join(texts, "\n") != err.Error() {
		return nil // it says more than its parts
	}
	return tree.Unwrap()
}

// located tells whether an error's lines stand for themselves.
func located(err error) bool {
	var verifier *load.VerifierError
	if errors.As(err, &verifier) {
		return verifier.Pos.Line > 0 && strings.HasPrefix(err.Error(), verifier.Pos.String())
	}
	return is[*config.Error](err) || is[diag.List](err) || is[*diag.Diagnostic](err) || is[*diag.Bug](err) || is[*faultError](err)
}

// is tells whether an error in err's tree has the type E.
func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// inputError is something the user said that can't be: an argument, a file.
type inputError struct {
	err  error
	hint string // what to do; may be empty
}

func (e *inputError) Error() string {
	if e.hint == "" {
		return e.err.Error()
	}
	return e.err.Error() + "; " + e.hint
}

func (e *inputError) Unwrap() error { return e.err }

// badInput marks an error as the user's, unless it is about rights or features.
func badInput(err error) error {
	if err == nil || exitCode(err) != exitFailure {
		return err
	}
	return &inputError{err: err}
}

// badInputf makes an error about something the user said.
func badInputf(format string, args ...any) error {
	return &inputError{err: fmt.Errorf(format, args...)}
}

// faultError is the run-time faults of a kernel program, one line each:
// FILE:LINE: WHAT.
type faultError struct {
	faults []string
}

func (e *faultError) Error() string { return "fault: " + strings.Join(e.faults, "\nfault: ") }
