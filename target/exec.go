package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Exec is a process that a shell command runs, in a process group of its own. If it ends
// with an error, the others of its group are ended, too; one that ends without has started
// something else, which may be among them.
type Exec struct {
	Command string
	// Env is added to this process's environment, of which it gets all but what the
	// service manager says to this process alone.
	Env []string
	// Output is where its output goes; this process's standard error if it is nil.
	Output io.Writer
	// Grace is how long it may take from SIGTERM to its end, before SIGKILL: 10 s
	// if it is 0.
	Grace time.Duration
	// Begin starts the process, and returns what waits for its end: for who has to
	// know of all children. It is exec.Cmd's own way if it is nil.
	Begin func(*exec.Cmd) (wait func() error, err error)

	mu sync.Mutex
	// runs are the last run, and earlier ones that have ended well and of whose groups
	// somebody is left: that may be the target.
	runs []*process
}

const defaultGrace = 10 * time.Second

func (e *Exec) String() string { return "exec:" + e.Command }

func (e *Exec) grace() time.Duration { return cmp.Or(e.Grace, defaultGrace) }

// Start starts the process.
func (e *Exec) Start(ctx context.Context) error {
	if err := e.start(ctx); err != nil {
		return fmt.Errorf("start %q: %w", e.Command, err)
	}
	return nil
}

func (e *Exec) start(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if n := len(e.runs); n > 0 {
		last := e.runs[n-1]
		if !last.ended() {
			return nil
		}
		if last.err != nil && !last.vanish(ctx) { // it is being ended
			return interrupted(ctx, "the end of the last run")
		}
	}
	p, err := e.begin()
	if err != nil {
		return err
	}
	e.runs = append(slices.DeleteFunc(e.runs, func(p *process) bool { return !p.left() }), p)
	return nil
}

func (e *Exec) begin() (*process, error) {
	cmd := exec.Command("/bin/sh", "-c", e.Command)
	cmd.Env = append(environment(), e.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := e.Output
	if out == nil {
		out = os.Stderr
	}
	cmd.Stdout, cmd.Stderr = out, out
	begin := e.Begin
	if begin == nil {
		begin = func(cmd *exec.Cmd) (func() error, error) { return cmd.Wait, cmd.Start() }
	}
	wait, err := begin(cmd)
	if err != nil {
		return nil, err
	}
	p := &process{pid: cmd.Process.Pid, done: make(chan struct{})}
	go p.watch(wait, e.grace())
	return p, nil
}

// ownVars are what a service manager tells a service, and nobody whom that starts:
// sockets, and where to report what becomes of it (sd_notify(3), sd_listen_fds(3)).
var ownVars = []string{"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}

// environment is this process's, without what is for this process alone.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(ownVars, name)
	})
}

// last is the last run, nil if there was none.
func (e *Exec) last() *process {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.runs) == 0 {
		return nil
	}
	return e.runs[len(e.runs)-1]
}

// Wait waits for the end of the process that was started last, and returns how it
// ended: nil for exit code 0.
func (e *Exec) Wait(ctx context.Context) error {
	p := e.last()
	if p == nil {
		return fmt.Errorf("wait for %q: it was not started", e.Command)
	}
	select {
	case <-p.done:
		return e.how(p.err)
	case <-ctx.Done():
		return interrupted(ctx, fmt.Sprintf("%q", e.Command))
	}
}

// how describes how the process ended.
func (e *Exec) how(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("run %q: %w", e.Command, err)
}

// Stop ends the process and what else is in its group: with SIGTERM, and with SIGKILL
// after a while or when the context ends. So it does with what is left of earlier runs.
func (e *Exec) Stop(ctx context.Context) error {
	e.mu.Lock()
	runs := slices.Clone(e.runs)
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, e.grace())
	defer cancel()
	for _, p := range runs {
		p.terminate()
	}
	for _, p := range runs {
		if err := p.end(ctx); err != nil {
			return fmt.Errorf("stop %q: %w", e.Command, err)
		}
	}
	return nil
}

// Run runs the command to its end: as a hook, which does something else than to be
// the target itself. If the context ends before, so does the command.
func (e *Exec) Run(ctx context.Context) error {
	if err := e.Start(ctx); err != nil {
		return err
	}
	err := e.Wait(ctx)
	if ctx.Err() != nil {
		return errors.Join(err, e.Stop(ctx))
	}
	return err
}
