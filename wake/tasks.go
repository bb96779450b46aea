package wake

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What takes time: looking for the target, starting it, stopping it.

func (w *Waker) look(ctx context.Context) error {
	err := w.options.Probe.Look(ctx)
	if err == nil {
		w.options.Found(ctx)
	}
	return err
}

// stop stops the target, and makes sure that it has stopped.
func (w *Waker) stop(ctx context.Context) error {
	began := time.Now()
	err := w.options.Stop.Stop(ctx)
	if err == nil {
		if err = w.stillThere(ctx); err == nil {
			w.options.Notice("target stopped in %s", short(time.Since(began)))
		}
	}
	w.failed = err
	return err
}

// stillThere is the error for a target that goes on to answer although it was stopped, nil
// for one that doesn't.
func (w *Waker) stillThere(ctx context.Context) error {
	for began := time.Now(); ; {
		asked := time.Now()
		if !w.answers(ctx) && ctx.Err() == nil { // else there was no time to answer
			return nil
		}
		since, took := time.Since(began), time.Since(asked)
		if w.options.Vanish == 0 {
			return fmt.Errorf("%w; what was started in another way has to be stopped in another way, with --stop", errStillThere)
		}
		if since < w.options.Vanish {
			select {
			case <-time.After(interval(since, took)):
				continue
			case <-ctx.Done():
			}
		}
		return fmt.Errorf("%w %s after its stop", errStillThere, short(time.Since(began)))
	}
}

func (w *Waker) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, stopLook)
	defer cancel()
	return w.options.Probe.Look(ctx) == nil
}

var errStillThere = errors.New("stop target: it still answers")

// stopLook is how long it may take to see that a target has stopped. Clients who come
// meanwhile wait for it.
const stopLook = 250 * time.Millisecond

// start starts the target and waits until it is ready.
func (w *Waker) start(ctx context.Context) error {
	began := time.Now()
	if err := w.options.Start.Start(ctx); err != nil {
		return err
	}
	up := time.Now()
	w.options.Notice("target started in %s", short(up.Sub(began)))
	if err := w.await(ctx, began, w.watch()); err != nil {
		return err
	}
	w.options.Found(ctx)
	w.options.Notice("reachable in %s", short(time.Since(up)))
	return nil
}

// watch waits for the end of what was started, and tells of it: the machine, and
// whoever reads the channel. Without a way to do so it never does. Nobody else watches
// then: a start may have found that what the last one has started is still there.
func (w *Waker) watch() <-chan error {
	p, ok := w.options.Start.(Process)
	if !ok {
		return nil
	}
	w.unwatch()
	var ctx context.Context
	ctx, w.unwatch = context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	w.work.Go(func() {
		err := p.Wait(ctx)
		if ctx.Err() != nil {
			return
		}
		ended <- err
		select {
		case w.events <- event{kind: targetExited, err: err}:
		case <-ctx.Done():
		}
	})
	return ended
}

// await returns when the target is ready.
func (w *Waker) await(ctx context.Context, began time.Time, ended <-chan error) error {
	deadline, _ := ctx.Deadline()
	patience, started := firstNotYet, began
	timer := time.NewTimer(0)
	defer timer.Stop()
	last := errors.New("there was no time to ask") // of the probe
	also := ""                                     // to be said with it
	for {
		select {
		case <-timer.C:
		case err := <-ended:
			if err == nil {
				also = fmt.Sprintf("; what was started has ended, with status 0, after %s", short(time.Since(began)))
				continue
			}
			return fmt.Errorf("wait for target: its process has ended after %s: %w", short(time.Since(began)), err)
		case <-ctx.Done():
			if ctx.Err() != context.DeadlineExceeded {
				return fmt.Errorf("wait for target: %w", ctx.Err())
			}
			return fmt.Errorf("wait for target: not ready after %s: %w%s; --timeout gives it more time", short(time.Since(began)), last, also)
		}
		if err := w.repeat(ctx, &started); err != nil {
			return err
		}
		asked := time.Now()
		err := w.options.Probe.Check(ctx, asked.Sub(began))
		if err == nil {
			return nil
		}
		took := time.Since(began)
		if time.Now().Before(deadline) {
			last = err // and not that there is no time left
		}
		if took >= patience {
			w.options.Notice("not ready yet (%s since start): %v%s", short(took), err, also)
			patience *= 2
		}
		timer.Reset(interval(took, time.Since(asked)))
	}
}

// repeat starts the target again, if that may help.
func (w *Waker) repeat(ctx context.Context, last *time.Time) error {
	r, ok := w.options.Start.(Repeater)
	if !ok || time.Since(*last) < r.Repeat() {
		return nil
	}
	*last = time.Now()
	return r.Start(ctx)
}

// firstNotYet is when an operator is told first that a target is not ready yet; then
// it is after twice the time.
const firstNotYet = 5 * time.Second

// interval is how long to wait until a target is tried again that was started so long
// ago: a hundredth of that, so that waiting adds little to any start and costs little in
// a long one; and twice as long as the last try took, which may have cost something.
func interval(since, try time.Duration) time.Duration {
	return min(max(since/100, 2*try, time.Millisecond), 250*time.Millisecond)
}

// short rounds a duration to what people want to read: 3.41ms, 379ms, 11.07s.
func short(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
