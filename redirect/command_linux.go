package redirect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is what is to run in a control group of its own.
type Command struct {
	Args           []string // the program's name or path, and its arguments
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// killAfter is how long a command may take to end after SIGTERM.
const killAfter = 10 * time.Second

// Look tells whether there is a command of that name.
func Look(name string) error {
	if _, err := exec.LookPath(name); err != nil {
		return inputErrorf("run command: %w", err)
	}
	return nil
}

// Run runs a command in the group, until it ends. When ctx ends, it gets a SIGTERM, and
// is killed later if need be; how it ends then is no error. A command that fails by
// itself is an *EndedError.
func (c *Child) Run(ctx context.Context, o *Command) error {
	cmd := exec.CommandContext(ctx, o.Args[0], o.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = o.Stdin, o.Stdout, o.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: c.group.FD()}
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = killAfter
	if err := cmd.Start(); err != nil {
		return inputErrorf("run command: %w", err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil, ctx.Err() != nil:
		return nil
	case errors.As(err, &exit):
		return &EndedError{Name: o.Args[0], Code: exitCode(exit)}
	}
	return fmt.Errorf("run command: %w", err)
}

// exitCode is what a shell makes of how a process ended.
func exitCode(e *exec.ExitError) int {
	if s, ok := e.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return e.ExitCode()
}
