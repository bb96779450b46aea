package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Exec is a process that a shell command runs, in a process group of its own.
type Exec struct {
	Command string
	// Env is added to this process's environment.
	Env []string
	// Output is where its output goes; this process's standard error if it is nil.
	Output io.Writer
	// Grace is how long it may take from SIGTERM to its end, before SIGKILL: 10 s
	// if it is 0.
	Grace time.Duration
	// Begin starts the process, and returns what waits for its end: for who has to
	// know of all children. It is exec.Cmd's own way if it is nil.
	Begin func(*exec.Cmd) (wait func() error, err error)

	mu   sync.Mutex
	proc *process // the last one that was started
}

// process is a run of the command.
type process struct {
	pid  int
	done chan struct{}
	err  error       // how it ended, once done is closed
	gone atomic.Bool // nobody is left of its group; the number may be another's
}

const defaultGrace = 10 * time.Second

func (e *Exec) String() string { return "exec:" + e.Command }

// Start starts the process.
func (e *Exec) Start(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.proc != nil && !e.proc.ended() {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("start %q: %w", e.Command, err)
	}
	p, err := e.begin()
	if err != nil {
		return fmt.Errorf("start %q: %w", e.Command, err)
	}
	e.proc = p
	return nil
}

func (e *Exec) begin() (*process, error) {
	cmd := exec.Command("/bin/sh", "-c", e.Command)
	cmd.Env = append(os.Environ(), e.Env...)
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
	go func() {
		p.err = wait()
		close(p.done)
		p.left()
	}()
	return p, nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// left tells whether somebody is left of the group.
func (p *process) left() bool {
	if !p.gone.Load() && p.ended() && !groupLives(p.pid) {
		p.gone.Store(true)
	}
	return !p.gone.Load()
}

func (e *Exec) last() *process {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.proc
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
// after a while or when the context ends.
func (e *Exec) Stop(ctx context.Context) error {
	p := e.last()
	if p == nil || !p.left() {
		return nil
	}
	_ = syscall.Kill(-p.pid, syscall.SIGTERM)
	grace := e.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if p.vanish(ctx) {
		return nil
	}
	if err := syscall.Kill(-p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) && !p.ended() {
		return fmt.Errorf("stop %q: %w", e.Command, err)
	}
	<-p.done
	last, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	p.vanish(last)
	return nil
}

// vanish waits for the end of the group, and tells whether it has come before that of
// the context. The first process may be a shell, which ends before those that it has
// started and that still have something to put in order.
func (p *process) vanish(ctx context.Context) bool {
	select {
	case <-p.done:
	case <-ctx.Done():
		return false
	}
	for pause := time.Millisecond; p.left(); pause = min(2*pause, 50*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
	}
	return true
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
