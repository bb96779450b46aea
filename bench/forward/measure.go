package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// measure is one kind of traffic and the figures that it gives.
type measure struct {
	name    string
	columns []column
	run     func(*trial) ([]float64, error) // one figure for each column
}

// column is a figure of the table.
type column struct {
	key    string // in JSON
	title  string
	format string
	scale  float64 // from the figure to what is printed
	// compared tells that direct has the figure, too.
	compared bool
}

var measures = []measure{
	{"bulk", []column{
		{"bulk1", "Gb/s", "%.1f", 8e-9, true},
		{"cpu_s_per_gb", "CPU s/GB", "%.3f", 1, false},
		{"all_s_per_gb", "all s/GB", "%.3f", 1, true},
		{"bulk8", "8x Gb/s", "%.1f", 8e-9, true},
	}, measureBulk},
	{"rtt", []column{
		{"rtt1_p50_us", "rtt us", "%.1f", 1e6, true},
		{"rtt1_p99_us", "p99", "%.1f", 1e6, true},
		{"rtt64_p50_us", "64x rtt us", "%.0f", 1e6, true},
		{"rtt64_p99_us", "p99", "%.0f", 1e6, true},
	}, measureRoundTrips},
	{"connect", []column{
		{"connections_per_s", "conns/s", "%.0f", 1, true},
		{"cpu_us_per_connection", "us/conn", "%.0f", 1e6, false},
		{"slowest_connection_ms", "slowest ms", "%.0f", 1e3, true},
	}, measureConnections},
	{"idle", []column{{"idle_kib", "KiB/idle", "%.1f", 1. / 1024, false}}, measureIdle},
	{"calls", []column{{"calls_per_mb", "calls/MB", "%.2f", 1e6, false}}, measureCalls},
}

func (m *measure) String() string { return m.name }

// trial is a measurement of a peer.
type trial struct {
	ctx      context.Context
	target   netip.AddrPort // where clients connect
	process  *process       // nil for direct
	duration time.Duration
	idle     int // connections
}

// warmUp is how long traffic runs before it counts: windows and pipes have grown, an
// engine that takes over from another one has done so.
const warmUp = 500 * time.Millisecond

// window lets the traffic run and returns how long, and the CPU times in it.
func (t *trial) window() (w usage, err error) {
	before, err := t.usage()
	if err == nil {
		err = t.sleep(t.duration)
	}
	if err != nil {
		return w, err
	}
	after, err := t.usage()
	return usage{after.at - before.at, after.process - before.process, after.machine - before.machine}, err
}

// usage is the time, and the CPU times up to then.
type usage struct{ at, process, machine time.Duration }

var origin = time.Now()

func (t *trial) usage() (u usage, err error) {
	u.at = time.Since(origin)
	if t.process != nil {
		if u.process, err = t.process.cpu(); err != nil {
			return u, err
		}
	}
	u.machine, err = machine()
	return u, err
}

func (t *trial) sleep(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-t.ctx.Done():
		return fmt.Errorf("measure: %w", t.ctx.Err())
	}
}
