//go:build unix

package handover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// env marks the environment of a process that is to take over from the one that
// started it.
const env = "WAGGLE_FORWARD_TAKEOVER"

// Wanted tells whether this process was started by Start, to take over.
func Wanted() bool {
	_, wanted := os.LookupEnv(env)
	_ = os.Unsetenv(env)
	return wanted
}

// Successor is a process that was started to take over.
type Successor struct {
	PID   int
	ended chan struct{}
	how   string
}

// errFirst is why there is no successor: when the first process of a PID namespace ends,
// the kernel ends all others of it, a successor, too.
var errFirst = errors.New("start successor: this is process 1, and its container would end with it; start the new version in a container of its own, with --take-over, the same network and the same admin socket")

// Start starts this program again, as it was called: the file that has its name now,
// which may be a new version.
func Start() (*Successor, error) {
	if os.Getpid() == 1 {
		return nil, errFirst
	}
	path, err := executable()
	if err != nil {
		return nil, fmt.Errorf("start successor: %w", err)
	}
	p, err := os.StartProcess(path, os.Args, &os.ProcAttr{
		Env:   environment(),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return nil, fmt.Errorf("start successor: %w", err)
	}
	s := &Successor{PID: p.Pid, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		state, err := p.Wait()
		if err != nil {
			s.how = err.Error()
			return
		}
		s.how = state.String()
	}()
	return s, nil
}

// environment is ours, but for what is about this process alone.
func environment() []string {
	list := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "WATCHDOG_PID=") })
	return append(list, env+"=1")
}

// executable is where this program's file was. What a new version replaced, Linux calls
// deleted.
func executable() (string, error) {
	path, err := os.Executable()
	return strings.TrimSuffix(path, " (deleted)"), err
}

// Await waits until ready is closed. If the successor ends before that, or the context
// does, it returns an error and sees to it that no successor is left.
func (s *Successor) Await(ctx context.Context, ready <-chan struct{}) error {
	select {
	case <-ready:
		return nil
	case <-s.ended:
		return fmt.Errorf("successor %d has ended: %s", s.PID, s.how)
	case <-ctx.Done():
		_ = syscall.Kill(s.PID, syscall.SIGKILL)
		<-s.ended
		return errors.Join(fmt.Errorf("successor %d does not take over", s.PID), context.Cause(ctx))
	}
}
