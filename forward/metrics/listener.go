package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// Listener is what is counted for each listener. A connection is Accepted or Adopted at
// its beginning, Closed or Refused at its end; in between it is Forwarding with one engine
// after another, and with none at the end.
type Listener struct {
	accepted, headerTimeouts prometheus.Counter
	active                   prometheus.Gauge
	duration                 prometheus.Observer
	bytes                    [2]prometheus.Counter

	refused, closed family[prometheus.Counter]
	engines         family[engineCounters]
	m               *Metrics
	name            string
}

type engineCounters struct {
	total  prometheus.Counter
	active prometheus.Gauge
}

func newListener(m *Metrics, name string) *Listener {
	l := &Listener{
		accepted:       m.accepted.WithLabelValues(name),
		headerTimeouts: m.headerTimeouts.WithLabelValues(name),
		active:         m.active.WithLabelValues(name),
		duration:       m.duration.WithLabelValues(name),
		m:              m,
		name:           name,
	}
	for d := range l.bytes {
		l.bytes[d] = m.bytes.WithLabelValues(name, engine.Direction(d).String())
	}
	return l
}

// Accepted counts a connection.
func (l *Listener) Accepted() {
	l.accepted.Inc()
	l.active.Inc()
}

// Adopted counts a connection that a process before this one accepted and left open.
func (l *Listener) Adopted() { l.active.Inc() }

// Refused counts that an accepted connection has ended without being forwarded, by the
// reason of the access log.
func (l *Listener) Refused(reason string) {
	l.refused.get(reason, func(reason string) prometheus.Counter { return l.m.refused.WithLabelValues(l.name, reason) }).Inc()
	l.active.Dec()
}

// HeaderTimeout counts a client that didn't say in time where it wants to go, whatever
// happens to it then.
func (l *Listener) HeaderTimeout() { l.headerTimeouts.Inc() }

// Forwarding counts that an engine, now, moves a connection from here on, and another,
// before, no longer does. Either may be "": before when the connection had none yet, now
// when it has ended.
func (l *Listener) Forwarding(before, now string) {
	if before != "" {
		l.engine(before).active.Dec()
	}
	if now != "" {
		e := l.engine(now)
		e.total.Inc()
		e.active.Inc()
	}
}

func (l *Listener) engine(name string) engineCounters {
	return l.engines.get(name, func(name string) engineCounters {
		return engineCounters{l.m.forwarded.WithLabelValues(l.name, name), l.m.engineActive.WithLabelValues(l.name, name)}
	})
}

// Moved adds bytes. For connections that last it is called now and then, not only at
// their end.
func (l *Listener) Moved(d engine.Direction, bytes uint64) { l.bytes[d].Add(float64(bytes)) }

// Closed counts the end of a connection that was forwarded.
func (l *Listener) Closed(cause engine.Cause, lasted time.Duration) {
	l.closed.get(string(cause), func(cause string) prometheus.Counter { return l.m.closed.WithLabelValues(l.name, cause) }).Inc()
	l.duration.Observe(lasted.Seconds())
	l.active.Dec()
}
