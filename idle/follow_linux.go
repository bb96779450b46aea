package idle

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/idle/policy"
	"github.com/waggle-bpf/waggle/idle/watch"
)

// supervise follows what happens until it is over, and ends the service, however it came
// to that.
func (r *runner) supervise(ctx context.Context) error {
	watching, cancel := context.WithCancel(context.Background())
	broken := make(chan error, 1)
	go func() {
		broken <- r.watcher.Run(watching, r.event)
		close(broken)
	}()
	why := r.follow(ctx, broken)
	how := r.halt(ctx)
	cancel()
	return errors.Join(why, how, <-broken)
}

// event is told of connections by the watcher.
func (r *runner) event(e watch.Event) {
	r.mu.Lock()
	r.machine.Event(&e)
	open := r.machine.Open()
	r.mu.Unlock()
	r.visited.Store(true)
	r.garbage.event()
	r.log("%s", line(&e, open))
	r.wake()
}

// wake makes follow look again.
func (r *runner) wake() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// done is closed when the service has ended by itself; never if it is not ours.
func (r *runner) done() <-chan struct{} {
	if r.service == nil {
		return nil
	}
	return r.service.Done()
}

// follow is the loop that decides. Its timer runs only while time alone can change
// something. It returns when the service has to end, or has ended, and why if that is an
// error.
func (r *runner) follow(ctx context.Context, broken <-chan error) error {
	var p progress
	for {
		d, err := r.decide(ctx)
		if err != nil {
			return err
		}
		if d.Stop {
			if again, err := r.stop(ctx, d); !again {
				return err
			}
			continue
		}
		var later <-chan time.Time
		if next := p.next(d, r.log); !next.IsZero() {
			later = time.After(time.Until(next))
		}
		select {
		case <-r.kick:
		case <-later:
		case <-r.done():
			if r.told(ctx) {
				return nil
			}
			return r.endedByItself()
		case err := <-broken:
			return r.watching(err)
		case <-ctx.Done():
			r.told(ctx)
			return nil
		case s := <-r.signals:
			if r.service != nil {
				r.service.Signal(s.(syscall.Signal))
			}
		}
	}
}

// simultaneous is how much later than the service's end we may be told to end, and both
// be one: who stops all processes of a container or of a systemd unit sends each its own
// signal.
const simultaneous = 100 * time.Millisecond

// told tells whether we are told to end. A service that has ended well has done so by
// itself just as well; else there is time to wait for who has ended it.
func (r *runner) told(ctx context.Context) bool {
	if r.service != nil && r.service.Ended() && r.service.Code() != 0 {
		select {
		case <-ctx.Done():
		case <-time.After(simultaneous):
		}
	}
	if ctx.Err() == nil {
		return false
	}
	r.log("stopping: told to")
	return true
}

// decide says what to do now. Before it lets the service be stopped it has the watcher
// look once more: who has just come must not be cut off.
func (r *runner) decide(ctx context.Context) (policy.Decision, error) {
	d, err := r.ask(false)
	switch {
	case err != nil:
		return d, err
	case d.Wake:
		if err := r.thaw(); err != nil {
			return d, err
		}
		r.log("thawed: somebody is there")
		return r.ask(false)
	case r.released():
		if err := r.thaw(); err != nil {
			return d, err
		}
		r.log("not frozen any more: others have thawed the service, or ended or started it")
		return r.ask(false)
	case !d.Stop:
		return d, nil
	}
	if err := r.watcher.Settle(ctx); err != nil {
		return d, r.watching(err)
	}
	if err := r.sample(); err != nil { // who has come may count by now
		return d, r.watching(err)
	}
	return r.ask(true)
}

// ask asks the machine, and tells it what it wants to know for that. What it says last
// is done.
func (r *runner) ask(last bool) (policy.Decision, error) {
	d := r.decision(last)
	if !d.Sample {
		return d, nil
	}
	if err := r.sample(); err != nil {
		return d, r.watching(err)
	}
	return r.decision(last), nil
}

func (r *runner) decision(last bool) policy.Decision {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.machine.Decide(time.Now())
	if d.Stop && last && r.options.OnIdle != actionFreeze {
		r.phase = stopping
	}
	return d
}

// watching adds to an error of the watcher what was tried.
func (r *runner) watching(err error) error {
	return fmt.Errorf("watch by %s: %w", r.watcher.Name(), err)
}

// sample tells the machine what the connections have moved. The watcher is asked without
// our mutex: it may hold its own while it waits for that.
func (r *runner) sample() error {
	moved := make(map[uint64]watch.Bytes)
	if err := r.watcher.Moved(func(id uint64, b watch.Bytes) { moved[id] = b }); err != nil {
		return err
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, b := range moved {
		r.machine.Moved(id, b, now)
	}
	r.machine.Sampled(now)
	return nil
}
