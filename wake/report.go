package wake

import (
	"os"
	"time"

	"github.com/waggle-bpf/waggle/wake/control"
)

// Report tells what the Waker does now. Listeners are their owner's business.
func (w *Waker) Report() *control.Report {
	answer := make(chan *control.Report, 1)
	select {
	case w.asks <- answer:
		return <-answer
	case <-w.ctx.Done(): // run does nothing any more, or never has
		return w.report()
	}
}

// report is for run, or when that has ended.
func (w *Waker) report() *control.Report {
	m, t := &w.machine, &w.tally
	r := &control.Report{
		PID: os.Getpid(), Started: w.began, Now: time.Now(), Target: w.options.About,
		State: m.state.String(), Since: t.since, StopAt: m.idleAt,
		Held: len(m.queue), Waiting: []control.Client{}, Connected: m.busy(),
		LastStart: t.lastStart, LastError: t.lastError, Counts: t.copied(),
	}
	if m.retryAt.After(r.Now) {
		r.RetryAt = m.retryAt
	}
	for _, c := range m.queue[:min(len(m.queue), control.MaxWaiting)] {
		r.Waiting = append(r.Waiting, control.Client{Source: c.source, Since: c.came})
	}
	return r
}
