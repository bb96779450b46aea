//go:build linux

// Package process starts a service's processes and ends them: all of them, also those
// that were left to us by their parents.
package process

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"

	"golang.org/x/sys/unix"
)

// Table starts children and waits for them. As the first process of a container, or
// wherever orphans come to, it has to wait for children that it has not started, too.
type Table struct {
	adopts bool

	mu       sync.Mutex // held while a child is being started
	children map[int]*Child
	reaping  bool
}

// Child is a process that a table has started.
type Child struct {
	PID    int
	done   chan struct{}
	status unix.WaitStatus // once done is closed
}

// NewTable makes a table. One that adopts gets the orphans among its children's
// descendants and waits for every child of this process, whoever has started it: there
// can be only one such table, and nobody else may wait for children.
func NewTable(adopts bool) (*Table, error) {
	if adopts {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("adopt orphans: %w", err)
		}
	}
	return &Table{adopts: adopts, children: make(map[int]*Child)}, nil
}

// Start starts a command, whose inputs and outputs have to be files.
func (t *Table) Start(cmd *exec.Cmd) (*Child, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &Child{PID: cmd.Process.Pid, done: make(chan struct{})}
	_ = cmd.Process.Release() // we wait ourselves
	t.children[c.PID] = c
	switch {
	case !t.adopts:
		go t.await(c.PID)
	case !t.reaping:
		t.reaping = true
		go t.reap()
	}
	return c, nil
}

// await waits for a child.
func (t *Table) await(pid int) {
	var ws unix.WaitStatus
	_, err := wait(pid, &ws)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end(pid, ws, err)
}

// reap waits for children as long as there are any.
func (t *Table) reap() {
	for {
		var ws unix.WaitStatus
		pid, err := wait(-1, &ws)
		t.mu.Lock()
		if err != nil { // no more children; one may just have been started
			t.reaping = len(t.children) > 0
			if !t.reaping {
				t.mu.Unlock()
				return
			}
		} else {
			t.end(pid, ws, nil)
		}
		t.mu.Unlock()
	}
}

func wait(pid int, ws *unix.WaitStatus) (int, error) {
	for {
		pid, err := unix.Wait4(pid, ws, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			return pid, err
		}
	}
}

// end notes that a process has ended. The mutex is held.
func (t *Table) end(pid int, ws unix.WaitStatus, err error) {
	c := t.children[pid]
	if c == nil {
		return // an orphan
	}
	if err == nil {
		c.status = ws
	}
	delete(t.children, pid)
	close(c.done)
}

// Done is closed when the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Ended tells whether the child has ended.
func (c *Child) Ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// Code is the exit code of a child that has ended, as shells have it: 128 and the
// signal's number if one has killed it.
func (c *Child) Code() int {
	if c.status.Signaled() {
		return 128 + int(c.status.Signal())
	}
	return c.status.ExitStatus()
}

// How says how a child has ended.
func (c *Child) How() string {
	if c.status.Signaled() {
		return "killed by " + unix.SignalName(c.status.Signal())
	}
	return fmt.Sprintf("exit code %d", c.status.ExitStatus())
}

// Err is nil for exit code 0.
func (c *Child) Err() error {
	if c.Code() == 0 {
		return nil
	}
	return errors.New(c.How())
}

// Begin starts a command for package target.
func (t *Table) Begin(cmd *exec.Cmd) (func() error, error) {
	c, err := t.Start(cmd)
	if err != nil {
		return nil, err
	}
	return func() error {
		<-c.done
		return c.Err()
	}, nil
}
