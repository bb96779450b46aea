package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waggle-bpf/waggle/redirect"
)

// redirectCmd is waggle redirect.
type redirectCmd struct {
	Command []string `arg:"" optional:"" passthrough:"partial" help:"A command and its arguments, behind --, to run in a control group of its own."`

	Cgroup []string      `placeholder:"PATH" help:"Control groups (version 2): directories, or paths below the place where they are mounted."`
	PID    []int         `name:"pid" placeholder:"PID" help:"Processes, with their children; only connections among those count."`
	Port   []uint16      `short:"p" placeholder:"N" help:"Server ports; all by default."`
	Mark   uint64        `placeholder:"BYTES" help:"How much a reader may leave unread, a message counting 1024 bytes more; 1 MiB by default."`
	Root   bool          `help:"Allow the root of the control groups: the whole machine."`
	JSON   bool          `name:"json" help:"Print a JSON object a line: the account so far with the busiest connections, and the last one."`
	Every  time.Duration `default:"1s" placeholder:"TIME" help:"How often to print that; 1s by default."`
}

// Help is the command's manual.
func (*redirectCmd) Help() string {
	return `What the processes of control groups send each other over TCP goes from socket to socket: it does not pass through TCP, IP and
the loopback device, which halves the time of a round trip. Both ends of a connection have to belong, and it has to be
made while the command runs. What the kernel carries better, streams without answers, and whatever would not be safe
goes through TCP as ever; docs/redirect.md says when, and what processes may notice.

  waggle redirect --cgroup system.slice/shop.service
  waggle redirect --pid 4711,4712 --port 6379
  waggle redirect -- ./compose-of-services

On a terminal there is a live table. On Ctrl-C, or when the command behind -- has ended, connections go back to TCP, the
programs are detached and totals are printed. Needs root, and Linux 5.15 with BTF.

The exit code is that of the command, if it fails.`
}

// Run works until it is interrupted or the command behind -- has ended.
func (c *redirectCmd) Run(e *env) error {
	if c.Every <= 0 {
		return badInputf("--every is too small")
	}
	err := c.run(e)
	var input *redirect.InputError
	switch {
	case errors.Is(err, redirect.ErrRoot):
		return &inputError{err: err, hint: "name one below it, or add --root"}
	case errors.As(err, &input):
		return &inputError{err: err, hint: "see waggle redirect --help"}
	}
	return err
}

func (c *redirectCmd) run(e *env) (err error) {
	o := redirect.Options{
		Cgroups: c.Cgroup, PIDs: c.PID, Ports: c.Port, Mark: c.Mark, WholeMachine: c.Root,
		Notice: func(text string) { fmt.Fprintln(e.stderr, "waggle: "+text) }, // a line at a time
	}
	if len(c.Command) > 0 && c.Command[0] == "--" {
		c.Command = c.Command[1:]
	}
	var child *redirect.Child
	if len(c.Command) > 0 {
		if err := redirect.Look(c.Command[0]); err != nil {
			return err
		}
		if child, err = redirect.NewChild(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, child.Remove()) }()
		o.Cgroups = append(o.Cgroups, child.Path)
	}
	s, err := redirect.Start(o)
	if err != nil {
		return err
	}
	view := c.view(e, s)
	ctx, cancel := context.WithCancel(e.ctx)
	done := make(chan error, 1)
	go func() { done <- view.run(ctx, c.Every) }()
	if child != nil {
		err = child.Run(e.ctx, &redirect.Command{Args: c.Command, Stdin: e.stdin, Stdout: e.stdout, Stderr: e.stderr})
	} else {
		fmt.Fprintln(e.stderr, "short-cutting; Ctrl-C ends it")
		<-e.ctx.Done()
	}
	cancel()
	viewErr := <-done
	sum, closeErr := s.Close()
	if closeErr == nil {
		viewErr = errors.Join(viewErr, view.total(&sum))
	}
	return errors.Join(err, viewErr, closeErr, faultsIn(sum.Faults))
}

// faultsIn is the error of programs that have faulted.
func faultsIn(faults []string) error {
	if len(faults) == 0 {
		return nil
	}
	return &faultError{faults: faults}
}
