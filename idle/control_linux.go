package idle

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/waggle-bpf/waggle/idle/control"
	"github.com/waggle-bpf/waggle/idle/policy"
)

// Why implements control.Handler.
func (r *runner) Why() *control.Report {
	report := &control.Report{
		PID: os.Getpid(), Command: r.options.Command, Started: r.started,
		State: "idle", Action: r.options.OnIdle,
	}
	// The watcher is asked without our mutex: it holds its own while it tells of events.
	if r.watcher != nil {
		_ = r.sample() // what is not known is not shown
		report.Watcher, report.Where, report.Why = r.watcher.Name(), r.watcher.Where(), r.why
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	d := r.machine.Decide(now)
	report.Now, report.StopAt, report.Signals = now, d.StopAt, r.machine.Signals(now)
	switch {
	case r.phase == frozen:
		report.State, report.StopAt = "frozen", time.Time{}
	case r.phase == stopping:
		report.State, report.StopAt = "stopping", time.Time{}
	case d.Busy:
		report.State = "busy"
	}
	return report
}

// errStopping is that there is nothing left to hold.
var errStopping = errors.New("hold: the service is being stopped")

// Hold implements control.Handler.
func (r *runner) Hold(reason string, ttl time.Duration) (control.Hold, error) {
	h, err := r.hold(reason, ttl)
	if err != nil {
		return control.Hold{}, err
	}
	r.log("held for %s as %d: %q", ttl, h.ID, reason)
	r.wake()
	return control.Hold{ID: h.ID, Until: h.Until}, nil
}

func (r *runner) hold(reason string, ttl time.Duration) (h policy.Hold, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase == stopping {
		return h, errStopping
	}
	if h, err = r.machine.Hold(reason, ttl, time.Now()); err != nil {
		err = fmt.Errorf("hold: %w", err)
	}
	return h, err
}

// Release implements control.Handler.
func (r *runner) Release(id int) bool {
	r.mu.Lock()
	ok := r.machine.Release(id, time.Now())
	r.mu.Unlock()
	if ok {
		r.log("hold %d released", id)
		r.wake()
	}
	return ok
}
