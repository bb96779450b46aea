package policy

import (
	"time"
)

// Decision is what to do now.
type Decision struct {
	// Stop says that it is time to stop the service.
	Stop bool
	Busy bool
	// Wake says that it is time to resume a service that is suspended.
	Wake bool
	// Since is when the service became idle, unless it is busy or suspended, and
	// StopAt when it is to be stopped if nothing comes.
	Since, StopAt time.Time
	// Sample says that it matters what the connections have moved: call Moved for
	// each, then Sampled, and ask again.
	Sample bool
	// Next is when to ask again at the latest; never if it is zero and nothing
	// happens.
	Next time.Time
}

const (
	// Bytes are asked for so often while a connection lacks some to count, or may have
	// sent some to a service that is suspended...
	sampleMeagre = time.Second
	// ...and else so often in the time after which a quiet one ceases to count.
	samplesPerQuiet = 10
)

// Decide says what to do now. Time does not go backwards.
func (m *Machine) Decide(now time.Time) Decision {
	m.advance(now)
	d := Decision{Busy: m.Busy()}
	if d.Wake = m.suspended && (d.Busy || m.wanted); d.Wake {
		return d
	}
	if every := m.sampleEvery(); every > 0 {
		next := m.sampled.Add(every)
		d.Sample = !next.After(now)
		d.next(next)
	}
	for _, h := range m.holds {
		d.next(h.Until)
	}
	if len(m.young) > 0 {
		d.next(m.young[0].Opened.Add(m.config.MinAge))
	}
	if d.Busy || m.suspended {
		return d
	}
	d.Since, d.StopAt = m.idle, m.stopAt()
	if undecided := m.undecided(d.StopAt); !undecided.IsZero() {
		d.StopAt = undecided
	}
	d.Stop = !d.Sample && !d.StopAt.After(now)
	d.next(d.StopAt)
	return d
}

// next makes it be asked again at a time, if not before.
func (d *Decision) next(t time.Time) {
	if d.Next.IsZero() || t.Before(d.Next) {
		d.Next = t
	}
}

func (m *Machine) stopAt() time.Time {
	at := m.idle.Add(m.config.Idle)
	if grace := m.start.Add(m.config.Grace); grace.After(at) {
		return grace
	}
	return at
}

// undecided is when it will be known whether the connections count that were opened
// before the service would be stopped; zero if there is none. Those that come later
// don't put it off further, or scans without end could.
func (m *Machine) undecided(stop time.Time) (at time.Time) {
	for _, c := range m.young {
		if c.Opened.After(stop) {
			break
		}
		if c.state == young {
			at = c.Opened.Add(m.config.MinAge)
		}
	}
	if at.Before(stop) {
		return time.Time{}
	}
	return at
}

// sampleEvery is how often to ask for bytes now; 0 for not at all.
func (m *Machine) sampleEvery() time.Duration {
	switch {
	case m.meagre > 0, m.suspended && len(m.conns) > m.ignored:
		return sampleMeagre
	case m.config.Quiet > 0 && len(m.conns) > m.ignored:
		return max(m.config.Quiet/samplesPerQuiet, 10*time.Millisecond)
	}
	return 0
}
