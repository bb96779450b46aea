package wake

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waggle-bpf/waggle/wake/control"
)

// prefix is what all names of metrics begin with.
const prefix = "waggle_wake_"

// histogram makes a histogram of times from 10 ms to 82 s.
func histogram(name, help string) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: prefix + name, Help: help, Buckets: prometheus.ExponentialBuckets(.01, 2, 14),
	})
}

// collector makes metrics of a Waker's report whenever they are wanted.
type collector struct{ waker *Waker }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, labels, nil)
}

var (
	stateMetric   = describe("state", "What the target does: 1 for its state, 0 for the others.", "state")
	refusedMetric = describe("refused_total", "Clients that were turned away, by reason.", "reason")
)

// number is a metric without labels.
type number struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*control.Report) float64
}

// numbers are all of them.
var numbers = []number{
	{describe("held", "Clients that wait for the target."), prometheus.GaugeValue, func(r *control.Report) float64 { return float64(r.Held) }},
	{describe("connected", "Clients that the target has."), prometheus.GaugeValue, func(r *control.Report) float64 { return float64(r.Connected) }},
	counter("clients_total", "Clients that came.", func(c *control.Counts) uint64 { return c.Clients }),
	counter("forwarded_total", "Clients that were connected with the target.", func(c *control.Counts) uint64 { return c.Forwarded }),
	counter("left_total", "Clients that left while they were held.", func(c *control.Counts) uint64 { return c.Left }),
	counter("starts_total", "Times that the target was started.", func(c *control.Counts) uint64 { return c.Starts }),
	counter("start_failures_total", "Starts after which the target did not get ready.", func(c *control.Counts) uint64 { return c.StartFailures }),
	counter("stops_total", "Times that the target was stopped.", func(c *control.Counts) uint64 { return c.Stops }),
	counter("stop_failures_total", "Stops after which the target went on.", func(c *control.Counts) uint64 { return c.StopFailures }),
	counter("lost_total", "Times that a target that was ready did not answer any more.", func(c *control.Counts) uint64 { return c.Lost }),
}

func counter(name, help string, value func(*control.Counts) uint64) number {
	return number{describe(name, help), prometheus.CounterValue, func(r *control.Report) float64 { return float64(value(&r.Counts)) }}
}

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	to <- stateMetric
	to <- refusedMetric
	for _, n := range numbers {
		to <- n.desc
	}
	c.waker.tally.starts.Describe(to)
	c.waker.tally.holds.Describe(to)
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	r := c.waker.Report()
	for s := Stopped; s <= Stopping; s++ {
		value := 0.
		if s.String() == r.State {
			value = 1
		}
		to <- prometheus.MustNewConstMetric(stateMetric, prometheus.GaugeValue, value, s.String())
	}
	for reason, n := range r.Counts.Refused {
		to <- prometheus.MustNewConstMetric(refusedMetric, prometheus.CounterValue, float64(n), reason)
	}
	for _, n := range numbers {
		to <- prometheus.MustNewConstMetric(n.desc, n.kind, n.value(r))
	}
	c.waker.tally.starts.Collect(to)
	c.waker.tally.holds.Collect(to)
}
