package wake

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waggle-bpf/waggle/wake/control"
)

// tally counts what becomes of a target and its clients.
type tally struct {
	counts    control.Counts
	since     time.Time // of the state
	begun     time.Time // of the start that is under way
	lastStart control.Start
	lastError control.Problem
	doubted   bool // the target was ready, and it is being found out whether it still is

	starts, holds prometheus.Histogram
}

func newTally() tally {
	return tally{
		counts: control.Counts{Refused: make(map[string]uint64)},
		since:  time.Now(),
		starts: histogram("start_seconds", "How long it took until a target that was started was ready."),
		holds:  histogram("hold_seconds", "How long clients were held that were forwarded then."),
	}
}

// copied is the counts as others may keep them.
func (t *tally) copied() control.Counts {
	c := t.counts
	c.Refused = maps.Clone(c.Refused)
	return c
}

// count counts what has happened and what it led to. State and place are those before:
// of the target, and of the client if the event is about one.
func (t *tally) count(e event, state State, place place, m *machine, effects []effect) {
	if m.state != state {
		t.since = m.now
	}
	switch e.kind {
	case clientCame:
		t.counts.Clients++
	case clientDialed:
		t.counts.Forwarded++
		if e.client.waited {
			t.holds.Observe(m.now.Sub(e.client.came).Seconds())
		}
	case clientGone:
		if place == held {
			t.counts.Left++
		}
	case targetLooked:
		t.settle(e.err != nil)
	case targetStarted:
		t.started(e, m)
	case targetStopped:
		if e.err != nil {
			t.counts.StopFailures++
			t.lastError = control.Problem{At: m.now, Error: oneLine(e.err.Error())}
		}
	}
	if state == Ready && (m.state == Starting || m.state == Stopped) {
		t.doubted = true
	}
	for _, f := range effects {
		t.effect(f, m)
	}
}

func (t *tally) effect(f effect, m *machine) {
	switch f.kind {
	case refuseClient:
		reason, _ := reasonOf(f.err)
		t.counts.Refused[reason]++
	case startTarget:
		t.settle(true)
		t.counts.Starts++
		t.begun = m.now
	case stopTarget:
		t.counts.Stops++
	}
}

// started counts how a start has ended; one that was given up in the end is no failure.
func (t *tally) started(e event, m *machine) {
	took := m.now.Sub(t.begun).Seconds()
	switch {
	case e.err == nil:
		t.starts.Observe(took)
		t.lastStart = control.Start{At: t.begun, Seconds: took}
	case !m.ending:
		t.counts.StartFailures++
		t.lastError = control.Problem{At: m.now, Error: oneLine(e.err.Error())}
	}
}

// settle ends a doubt.
func (t *tally) settle(lost bool) {
	if t.doubted && lost {
		t.counts.Lost++
	}
	t.doubted = false
}
