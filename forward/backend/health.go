package backend

import (
	"context"
	"time"
)

// health is what is known of a backend, from checks and from dials.
type health struct {
	state State // as it was last published
	since time.Time

	// The active check.
	down    bool
	checked bool // there was a check at all
	streak  int  // results in a row that contradict down
	problem error
	latency time.Duration
	stop    context.CancelFunc // ends the checks

	// The passive one.
	failures  int // dials in a row that went wrong
	ejections int // times in a row that it was ejected
	until     time.Time
	timer     *time.Timer // ends the ejection
	trouble   error       // of the last dial that went wrong
}

// judge says in which state the backend is now, and what speaks against it.
func (h *health) judge(now time.Time) (State, error) {
	switch {
	case h.down:
		return Down, h.problem
	case now.Before(h.until):
		return Ejected, h.trouble
	}
	return Up, nil
}

// checkedAs takes the result of a check, nil for a good one. The first check of all
// decides alone: a forwarder that starts should not send connections to a backend that
// is down until it has been found so several times.
func (h *health) checkedAs(err error, rise, fall int) {
	first := !h.checked
	h.checked = true
	if err != nil {
		h.problem = err
	}
	if (err != nil) == h.down {
		h.streak = 0
		return
	}
	h.streak++
	need := fall
	if h.down {
		need = rise
	}
	if first || h.streak >= need {
		h.down, h.streak = err != nil, 0
	}
}

// dialFailed counts a dial that went wrong and returns for how long the backend is to
// be ejected, 0 for not at all.
func (h *health) dialFailed(err error, e Eject) time.Duration {
	h.trouble = err
	h.failures++
	// Once ejected, a backend has to show that it is well: the first failure
	// after that ejects it again.
	if e.After < 0 || h.failures < e.After && h.ejections == 0 {
		return 0
	}
	after := e.For
	for i := 0; i < h.ejections && after < e.Max; i++ {
		after *= 2
	}
	return min(after, e.Max)
}

// eject takes the backend out until then.
func (h *health) eject(until time.Time) {
	h.failures = 0
	h.ejections++
	h.until = until
}

// forgive forgets what dials that went wrong have led to.
func (h *health) forgive() {
	h.failures, h.ejections = 0, 0
	h.until = time.Time{}
	if h.timer != nil {
		h.timer.Stop()
	}
}

// passOn returns what a successor in another group has to know.
func (h *health) passOn() health {
	heir := *h
	heir.stop, heir.timer = nil, nil
	return heir
}
