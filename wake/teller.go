package wake

import (
	"fmt"
	"strings"
	"time"
)

// teller tells an operator what becomes of a target, in lines that he can follow.
type teller struct {
	notice func(format string, args ...any)
	full   time.Time // when it was told last that there is no room
	// The process of a target that was ready has ended, how; until it is known what
	// that means.
	exited bool
	exit   error
}

// fullPause is how often it is told that clients are turned away for want of room.
const fullPause = time.Minute

// tell tells what has happened and what it led to.
func (t *teller) tell(e event, before State, m *machine, effects []effect) {
	passed, turned := 0, map[error]int{}
	for _, f := range effects {
		switch f.kind {
		case passClient:
			passed++
		case refuseClient:
			turned[f.err]++
		}
	}
	switch e.kind {
	case targetExited:
		if before == Ready {
			t.exited, t.exit = true, e.err
		}
	case targetLooked:
		t.looked(e, m, passed)
	case targetStarted:
		if e.err == nil {
			t.notice("target is ready; %s let through", clients(passed))
		} else if !m.ending {
			t.failed(e, m, turned[e.err])
		}
	case targetStopped:
		if e.err != nil && !m.ending {
			t.notice("%v", e.err)
		}
	case clientMissed:
		if before == Ready && m.state != Ready {
			t.notice("target does not answer: %v", e.err)
		}
	}
	t.turnedAway(turned, m)
	for _, f := range effects {
		switch f.kind {
		case startTarget:
			t.notice("starting the target for %s", clients(len(m.queue)))
		case stopTarget:
			t.stopping(e, m)
		}
	}
}

func (t *teller) stopping(e event, m *machine) {
	switch {
	case m.ending:
		t.notice("stopping: waggle wake ends")
	case e.kind == targetStarted:
		t.notice("stopping: what is left of it")
	default:
		t.notice("stopping: idle for %s", m.policy.idle)
	}
}

func (t *teller) looked(e event, m *machine, passed int) {
	switch {
	case e.err != nil && t.exited && t.exit != nil:
		t.notice("target has ended by itself: %v", t.exit)
	case e.err != nil && t.exited:
		t.notice("target has ended by itself")
	case e.err == nil && passed > 0:
		t.notice("target is there; %s let through", clients(passed))
	case e.err == nil && !t.exited:
		t.notice("target is there")
	}
	t.exited, t.exit = false, nil
}

func (t *teller) failed(e event, m *machine, turned int) {
	text := e.err.Error()
	if turned > 0 {
		text += fmt.Sprintf("; %s turned away", clients(turned))
	}
	t.notice("%s; the next try is in %s at the earliest", text, short(m.retryAt.Sub(m.now)))
}

// turnedAway tells of clients that could not wait. The access log has all of them.
func (t *teller) turnedAway(turned map[error]int, m *machine) {
	if n := turned[errTooLong]; n > 0 {
		t.notice("%s turned away: %v", clients(n), errTooLong)
	}
	if turned[errTooMany] > 0 && m.now.Sub(t.full) >= fullPause {
		t.full = m.now
		t.notice("clients are turned away: %d wait already; --hold lets more of them", m.policy.held)
	}
}

// oneLine makes one line of the errors that were joined, or of what others say.
func oneLine(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ") }

func clients(n int) string {
	if n == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", n)
}
