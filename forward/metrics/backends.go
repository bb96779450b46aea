package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waggle-bpf/waggle/forward/backend"
)

// backendCollector asks for the state of backends when it is wanted: groups count by
// themselves, and backends come and go.
type backendCollector struct {
	status *atomic.Pointer[func() []backend.Status]
}

// backendMetrics are the metrics of a backend.
var backendMetrics = []struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*backend.Status) float64
}{
	{describe("backend_up", "Whether connections go to a backend."), prometheus.GaugeValue, func(s *backend.Status) float64 {
		if s.State == backend.Up {
			return 1
		}
		return 0
	}},
	{describe("backend_connections", "Connections of a backend."), prometheus.GaugeValue, func(s *backend.Status) float64 { return float64(s.Active) }},
	{describe("backend_dials_total", "Attempts to connect to a backend."), prometheus.CounterValue, func(s *backend.Status) float64 { return float64(s.Dials) }},
	{describe("backend_dial_failures_total", "Attempts that went wrong."), prometheus.CounterValue, func(s *backend.Status) float64 { return float64(s.Failed) }},
	{describe("backend_checks_total", "Health checks of a backend."), prometheus.CounterValue, func(s *backend.Status) float64 { return float64(s.Checks) }},
	{describe("backend_check_seconds", "How long the last health check took."), prometheus.GaugeValue, func(s *backend.Status) float64 { return s.Latency.Seconds() }},
}

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, []string{"group", "backend", "address"}, nil)
}

// Describe implements prometheus.Collector.
func (c backendCollector) Describe(to chan<- *prometheus.Desc) {
	for _, m := range backendMetrics {
		to <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c backendCollector) Collect(to chan<- prometheus.Metric) {
	status := c.status.Load()
	if status == nil {
		return
	}
	// Two of the same labels would make the whole scrape fail.
	seen := make(map[[3]string]bool)
	for _, s := range (*status)() {
		address := ""
		if s.Addr.IsValid() {
			address = s.Addr.String()
		}
		labels := [3]string{s.Group, s.Target, address}
		if seen[labels] {
			continue
		}
		seen[labels] = true
		for _, m := range backendMetrics {
			to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&s), labels[:]...)
		}
	}
}
