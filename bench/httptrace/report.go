package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

type options struct {
	json     bool
	duration time.Duration
	role     string
}

const defaultDuration = 5 * time.Second

// step is a measurement: so many requests a second, so many in a packet.
type step struct{ rate, pipeline int }

// served are the steps with a server, the last ones as fast as it goes.
var served = []step{{5_000, 1}, {10_000, 1}, {20_000, 1}, {40_000, 1}, {80_000, 16}, {1_000_000, 16}}

// flooded are the steps without one.
var flooded = []step{
	{100_000, 1}, {200_000, 1}, {300_000, 1}, {400_000, 1}, {600_000, 1},
	{400_000, 8}, {800_000, 8}, {1_200_000, 8}, {1_600_000, 8}, {2_400_000, 8},
}

// accurate is the least share of requests to be seen.
const accurate = 0.999

// accuracy compares what was answered with what was printed, and then, to find the
// limit, what was sent without a server.
func accuracy(ctx context.Context, o options) error {
	if !o.json {
		fmt.Printf("%-7s %10s %9s %9s %10s %10s %8s %10s  %s\n", "", "asked/s", "in packet", "done/s", "requests", "seen", "share", "tracer CPU", "account")
	}
	for _, s := range served {
		load := traffic{rate: s.rate, connections: 64, pipeline: s.pipeline, duration: o.duration}
		if err := s.measure(ctx, o, "server", load.run); err != nil {
			return err
		}
	}
	tunnel, err := openTunnel()
	if err != nil {
		return err
	}
	defer tunnel.Close()
	for _, s := range flooded {
		load := flood{rate: s.rate, pipeline: s.pipeline, duration: o.duration}
		if err := s.measure(ctx, o, "flood", func(ctx context.Context) (uint64, time.Duration, error) { return load.run(ctx, tunnel) }); err != nil {
			return err
		}
	}
	return nil
}

// measure runs a step under a tracer of its own.
func (s step) measure(ctx context.Context, o options, kind string, run func(context.Context) (uint64, time.Duration, error)) error {
	t, err := startTracer()
	if err != nil {
		return err
	}
	sent, took, err := run(ctx)
	seen, endErr := t.end()
	if err := errors.Join(err, endErr, ctx.Err()); err != nil {
		return err
	}
	accuracyRow{
		Kind: kind, Asked: s.rate, Pipeline: s.pipeline, Done: float64(sent) / took.Seconds(), Requests: sent, Seen: seen.lines,
		Share: float64(seen.lines) / float64(sent), CPU: seen.cpu.Seconds() / took.Seconds(), Account: seen.summary,
	}.print(o.json)
	return nil
}

type accuracyRow struct {
	Kind     string  `json:"kind"`
	Asked    int     `json:"asked_per_s"`
	Pipeline int     `json:"pipeline"`
	Done     float64 `json:"done_per_s"`
	Requests uint64  `json:"requests"`
	Seen     uint64  `json:"seen"`
	Share    float64 `json:"share"`
	CPU      float64 `json:"tracer_cpu"` // in CPUs, without what the kernel half costs others
	Account  string  `json:"account"`
}

func (r accuracyRow) print(asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(os.Stdout).Encode(r)
		return
	}
	mark := ""
	if r.Share < accurate {
		mark = " <" + strconv.FormatFloat(accurate, 'f', -1, 64)
	}
	fmt.Printf("%-7s %10d %9d %9.0f %10d %10d %8.5f %9.0f%%  %s%s\n", r.Kind, r.Asked, r.Pipeline, r.Done, r.Requests, r.Seen, r.Share, 100*r.CPU, r.Account, mark)
}
