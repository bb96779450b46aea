// Package metrics counts what a forwarder does, for Prometheus.
//
// Looking up a counter by its labels costs more than counting. So labels are resolved
// when a listener is made; what a connection touches are plain atomic counters.
package metrics

import (
	"net/http"
	"time"

	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/engine"
)

// Metrics are the metrics of a forwarder. Its methods may be called from any goroutine.
type Metrics struct{}

// New makes metrics with all counters at zero.
func New() *Metrics { return &Metrics{} }

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler { return http.NotFoundHandler() }

// Listener returns the counters of a listener: the same for the same name.
func (m *Metrics) Listener(name string) *Listener { return &Listener{} }

// Backends makes every scrape ask status for the state of the backends.
func (m *Metrics) Backends(status func() []backend.Status) {}

// LogLost makes every scrape ask lost for the number of lines the access log lost.
func (m *Metrics) LogLost(lost func() uint64) {}

// Switched records how long a connection took from its first byte forwarded until the
// kernel moved the rest (engine packet).
func (m *Metrics) Switched(d time.Duration) {}

// Fallback counts that an engine didn't take a connection, by its refusal's reason.
func (m *Metrics) Fallback(engine, reason string) {}

// DialError counts a connection without a backend, by backend.Reason.
func (m *Metrics) DialError(group, reason string) {}

// Listener is what is counted for each listener.
type Listener struct{}

// Accepted counts a connection, which is active until Closed or Refused is called.
func (l *Listener) Accepted() {}

// Refused counts an accepted connection that was not forwarded, by the reason of the
// access log.
func (l *Listener) Refused(reason string) {}

// HeaderTimeout counts a client that didn't say in time where it wants to go.
func (l *Listener) HeaderTimeout() {}

// Forwarding counts that an engine has taken a connection. A connection that changes
// engines is counted for each.
func (l *Listener) Forwarding(engine string) {}

// Moved adds bytes. For connections that last it is called now and then, not only at
// their end.
func (l *Listener) Moved(d engine.Direction, bytes uint64) {}

// Closed counts the end of a connection that was forwarded.
func (l *Listener) Closed(c engine.Cause, lasted time.Duration) {}
