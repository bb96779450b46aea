// Package metrics counts what a forwarder does, for Prometheus.
//
// Looking up a counter by its labels costs more than counting. So labels are resolved
// when a listener is made, and those that depend on what happens (the reason of a refusal,
// the cause of a close) when it happens first; what a connection touches afterwards are
// atomic counters.
package metrics

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/waggle-bpf/waggle/forward/backend"
)

// Metrics are the metrics of a forwarder. Its methods may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry

	accepted, refused, forwarded, closed, headerTimeouts, bytes *prometheus.CounterVec
	active, engineActive                                        *prometheus.GaugeVec
	duration                                                    *prometheus.HistogramVec

	switched   prometheus.Histogram
	fallbacks  *pairs
	dialErrors *pairs

	listeners family[*Listener]
	backends  atomic.Pointer[func() []backend.Status]
	logLost   atomic.Pointer[func() uint64]
}

// prefix is what all names of metrics begin with.
const prefix = "waggle_forward_"

// New makes metrics with all counters at zero.
func New() *Metrics {
	r := prometheus.NewRegistry()
	m := &Metrics{
		registry: r,

		accepted:       counters(r, "connections_total", "Connections accepted.", "listener"),
		refused:        counters(r, "refused_total", "Connections accepted but not forwarded.", "listener", "reason"),
		headerTimeouts: counters(r, "header_timeouts_total", "Clients that did not say in time where they want to go.", "listener"),
		forwarded:      counters(r, "engine_connections_total", "Connections that an engine took. One that changes engines counts for each.", "listener", "engine"),
		closed:         counters(r, "closed_total", "Connections that were forwarded and have ended.", "listener", "cause"),
		bytes:          counters(r, "bytes_total", "Bytes forwarded: up from clients to backends, down from backends to clients.", "listener", "direction"),

		active:       gauges(r, "connections", "Connections that are open.", "listener"),
		engineActive: gauges(r, "engine_connections", "Connections that are forwarded.", "listener", "engine"),

		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    prefix + "duration_seconds",
			Help:    "How long forwarded connections lasted.",
			Buckets: []float64{.001, .01, .1, 1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600},
		}, []string{"listener"}),
		switched: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    prefix + "switch_seconds",
			Help:    "How long it took from the first byte forwarded until the kernel moved the rest.",
			Buckets: prometheus.ExponentialBuckets(.0001, 4, 9), // 0.1 ms to 6.5 s
		}),
	}
	m.listeners.configured = true
	m.fallbacks = newPairs(counters(r, "fallbacks_total", "Connections that an engine did not take.", "engine", "reason"))
	m.dialErrors = newPairs(counters(r, "dial_errors_total", "Connections that got no backend.", "group", "reason"))
	r.MustRegister(
		m.duration, m.switched, backendCollector{&m.backends},
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: prefix + "access_log_lost_total",
			Help: "Lines that the access log lost.",
		}, m.lost),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func counters(r *prometheus.Registry, name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	r.MustRegister(v)
	return v
}

func gauges(r *prometheus.Registry, name, help string, labels ...string) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + name, Help: help}, labels)
	r.MustRegister(v)
	return v
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Register adds metrics of others, which may not have our names.
func (m *Metrics) Register(list ...prometheus.Collector) error {
	for _, c := range list {
		if err := m.registry.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// Backends makes every scrape ask status for the state of the backends.
func (m *Metrics) Backends(status func() []backend.Status) { m.backends.Store(&status) }

// LogLost makes every scrape ask lost for the number of lines the access log lost.
func (m *Metrics) LogLost(lost func() uint64) { m.logLost.Store(&lost) }

func (m *Metrics) lost() float64 {
	if f := m.logLost.Load(); f != nil {
		return float64((*f)())
	}
	return 0
}

// Switched records how long a connection took from its first byte forwarded until the
// kernel moved the rest (engine packet).
func (m *Metrics) Switched(d time.Duration) { m.switched.Observe(d.Seconds()) }

// Fallback counts that an engine didn't take a connection, by its refusal's reason.
func (m *Metrics) Fallback(engine, reason string) { m.fallbacks.get(engine, reason).Inc() }

// DialError counts a connection without a backend, by backend.Reason.
func (m *Metrics) DialError(group, reason string) { m.dialErrors.get(group, reason).Inc() }

// Listener returns the counters of a listener: the same for the same name.
func (m *Metrics) Listener(name string) *Listener {
	return m.listeners.get(name, func(name string) *Listener { return newListener(m, name) })
}
