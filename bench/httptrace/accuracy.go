package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

type options struct {
	json     bool
	duration time.Duration
	repeats  int
	rounds   int
	role     string
}

// step is a measurement: so many requests a second, so many in a packet.
type step struct{ rate, pipeline int }

// served are the steps with a server, the last ones as fast as it goes.
var served = []step{{5_000, 1}, {10_000, 1}, {20_000, 1}, {40_000, 1}, {80_000, 16}, {1_000_000, 16}}

// accurate is the least share of requests to be seen.
const accurate = 0.999

// accuracy compares what a server answered with what was printed.
func accuracy(ctx context.Context, o options, _ *process) error {
	for _, s := range served {
		load := traffic{rate: s.rate, connections: 64, pipeline: s.pipeline, duration: o.duration}
		row, err := s.measure(ctx, load.run)
		if err != nil {
			return err
		}
		o.print(row)
	}
	return nil
}

// sender sends requests and returns how many there were and how long it took.
type sender func(context.Context) (sent uint64, took time.Duration, err error)

// measure runs a step under a tracer of its own.
func (s step) measure(ctx context.Context, send sender) (accuracyRow, error) {
	t, err := startTracer()
	if err != nil {
		return accuracyRow{}, err
	}
	sent, took, err := send(ctx)
	seen, endErr := t.end()
	return accuracyRow{
		Asked: s.rate, Pipeline: s.pipeline, Done: float64(sent) / took.Seconds(), Requests: sent, Seen: seen.lines,
		Share: float64(seen.lines) / float64(sent), CPU: seen.cpu.Seconds() / took.Seconds(), Account: seen.summary,
	}, errors.Join(err, endErr, ctx.Err())
}

type accuracyRow struct {
	Asked    int     `json:"asked_per_s"`
	Pipeline int     `json:"pipeline"`
	Done     float64 `json:"done_per_s"`
	Requests uint64  `json:"requests"`
	Seen     uint64  `json:"seen"`
	Share    float64 `json:"share"`
	CPU      float64 `json:"tracer_cpu"` // in CPUs, without what the kernel half costs others
	Account  string  `json:"account"`
}

func (r accuracyRow) String() string {
	return fmt.Sprintf("served, %7d requests/s asked, %2d in a packet: %.0f/s answered, seen %d of %d (%.5f); tracer %.0f%% of a CPU; %s",
		r.Asked, r.Pipeline, r.Done, r.Seen, r.Requests, r.Share, 100*r.CPU, r.Account)
}
