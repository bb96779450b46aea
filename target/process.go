package target

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a run of a command: its first process, and the group of that.
type process struct {
	pid  int
	done chan struct{}
	err  error       // how the first process ended, once done is closed
	gone atomic.Bool // nobody is left of its group; the number may be another's
	told atomic.Bool // the group has got SIGTERM; some take a second one for impatience
}

// watch waits for the end of the first process. If that is an error's, the others, which
// nobody looks after any more, are ended.
func (p *process) watch(wait func() error, grace time.Duration) {
	p.err = wait()
	close(p.done)
	if p.err == nil || !p.left() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	p.terminate()
	_ = p.end(ctx) // whoever starts the command again sees whether that went well
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

// terminate asks the group to end, once.
func (p *process) terminate() {
	if p.left() && !p.told.Swap(true) {
		_ = syscall.Kill(-p.pid, syscall.SIGTERM) // who is gone already needn't be asked
	}
}

// killTime is how long it may take until a process is gone that was killed. Only one that
// waits for a device, or for a file of another machine, takes any time.
const killTime = 5 * time.Second

// end waits for the end of the group, and kills it when the context ends.
func (p *process) end(ctx context.Context) error {
	if !p.left() || p.vanish(ctx) {
		return nil
	}
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	last, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	if !p.vanish(last) {
		return fmt.Errorf("process group %d is still there %s after SIGKILL", p.pid, killTime)
	}
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
