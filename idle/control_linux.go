package idle

import (
	"os"
	"time"

	"github.com/waggle-bpf/waggle/idle/control"
)

// Why implements control.Handler.
func (r *runner) Why() *control.Report {
	now := time.Now()
	if r.watcher != nil {
		_ = r.sample() // what is not known is not shown
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.machine.Decide(now)
	report := &control.Report{
		PID: os.Getpid(), Command: r.options.Command, Started: r.started, Now: now,
		State: "idle", StopAt: d.StopAt, Action: r.options.OnIdle,
		Signals: r.machine.Signals(now),
	}
	if r.watcher != nil {
		report.Watcher, report.Where, report.Why = r.watcher.Name(), r.watcher.Where(), r.why
	}
	switch {
	case r.frozen:
		report.State, report.StopAt = "frozen", time.Time{}
	case d.Busy:
		report.State = "busy"
	}
	return report
}

// Hold implements control.Handler.
func (r *runner) Hold(reason string, ttl time.Duration) control.Hold {
	r.mu.Lock()
	h := r.machine.Hold(reason, ttl, time.Now())
	r.mu.Unlock()
	r.log("held for %s as %d: %q", ttl, h.ID, reason)
	r.wake()
	return control.Hold{ID: h.ID, Until: h.Until}
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
