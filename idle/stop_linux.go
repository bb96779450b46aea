package idle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/waggle-bpf/waggle/idle/policy"
)

const (
	// patience is how long an action may take that is not ours.
	patience = 5 * time.Minute
	// thawPatience is how long thawing may take: nothing, unless what lies above is
	// frozen, too.
	thawPatience = 10 * time.Second
)

// stop does what is to be done when the service is idle. It returns true if the run goes
// on.
func (r *runner) stop(ctx context.Context, d policy.Decision) (again bool, err error) {
	r.doubt()
	r.log("stopping: idle for %s", policy.Short(d.StopAt.Sub(d.Since)))
	if r.action == nil {
		return false, nil
	}
	freezes := r.options.OnIdle == actionFreeze
	if freezes {
		err = r.freeze(ctx)
	} else {
		err = r.act(ctx)
	}
	switch {
	case err == nil && freezes:
		r.log("frozen, until somebody comes")
		return true, nil
	case freezes && absent(err):
		r.log("nothing to freeze: %v", err)
		return true, nil
	case err == nil:
		r.log("done: %s", r.options.OnIdle)
		return false, nil
	case ctx.Err() != nil:
		r.log("stopping: told to")
		return false, nil
	}
	return false, fmt.Errorf("on idle: %w", err)
}

// doubt asks whether the right ports are watched.
func (r *runner) doubt() {
	if r.visited.Load() || r.options.Listen != "" {
		return
	}
	if list := deaf(r.options.Ports); len(list) > 0 {
		r.log("nobody has come, and nobody listens on %s here: is that the service's?", ports(list))
	}
}

// act stops what is to be stopped.
func (r *runner) act(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return r.action.Stop(ctx)
}

// freeze holds the service. From here on everybody thaws it who comes or moves something.
func (r *runner) freeze(ctx context.Context) error {
	r.mu.Lock()
	r.machine.Suspend()
	r.phase = frozen
	r.mu.Unlock()
	return r.act(ctx)
}

// thaw lets the service go on.
func (r *runner) thaw() error {
	ctx, cancel := context.WithTimeout(context.Background(), thawPatience)
	defer cancel()
	if err := r.action.Start(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.machine.Resume(time.Now())
	r.phase = running
	return nil
}

// released tells whether a service that was frozen runs, though we have not thawed it.
func (r *runner) released() bool {
	f, ok := r.action.(*freezer)
	return ok && r.is(frozen) && f.over()
}

// halt ends the service if it is ours: at once when told to a second time.
func (r *runner) halt(ctx context.Context) (err error) {
	if r.is(frozen) {
		err = r.thaw()
	}
	r.mu.Lock()
	r.phase = stopping
	r.mu.Unlock()
	if r.service == nil {
		return err
	}
	over := make(chan struct{})
	defer close(over)
	began, before := time.Now(), r.service.Ended()
	err = errors.Join(err, r.service.Stop(r.options.KillAfter, hurry(ctx.Err() != nil, over)))
	if !before && r.service.Ended() {
		r.log("%s ended after %s: %s", r.name(), policy.Short(time.Since(began)), r.service.How())
	}
	return err
}

// repeat is how long the signals that end a service count as one: a terminal and a
// parent both send theirs, and an impatient user's come in twos.
const repeat = 500 * time.Millisecond

// hurry closes a channel when this process is told to end, and has been told before, until
// over is closed.
func hurry(told bool, over <-chan struct{}) <-chan struct{} {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, ending...)
	var first time.Time
	if told {
		first = time.Now()
	}
	now := make(chan struct{})
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-signals:
			case <-over:
				return
			}
			switch {
			case first.IsZero():
				first = time.Now()
			case time.Since(first) > repeat:
				close(now)
				return
			}
		}
	}()
	return now
}

// endedByItself says how. What the command has left behind is still to be ended.
func (r *runner) endedByItself() error {
	after := time.Since(r.started)
	// What start hooks have left in the background belongs there.
	if left := r.service.Left(); left > 0 && r.service.Code() == 0 && len(r.options.Run) == 0 {
		r.log("%s has left %s in the background, to end with it; a service has to stay in the foreground", r.name(), processes(left))
	}
	if r.service.Code() == 0 {
		r.log("%s ended by itself after %s: %s", r.name(), policy.Short(after), r.service.How())
		return nil
	}
	return &EndedError{Command: r.name(), Code: r.service.Code(), How: r.service.How(), After: after}
}
