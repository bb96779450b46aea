package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// overhead runs wrk with and without the tracer, several times in turn, so that a
// busy moment of the machine does not hit one side alone.
func overhead(ctx context.Context, o options) error {
	for _, pipeline := range []int{1, 16} {
		var without, with float64
		const rounds = 3
		for range rounds {
			n, err := wrk(ctx, o.duration, pipeline)
			if err != nil {
				return err
			}
			without += n / rounds
			t, err := startTracer()
			if err != nil {
				return err
			}
			n, err = wrk(ctx, o.duration, pipeline)
			if err != nil {
				return err
			}
			with += n / rounds
			if _, err := t.end(); err != nil {
				return err
			}
		}
		row := overheadRow{Pipeline: pipeline, Without: without, With: with, Ratio: with / without}
		row.print(o.json)
	}
	return nil
}

type overheadRow struct {
	Pipeline int     `json:"wrk_pipeline"`
	Without  float64 `json:"without_per_s"`
	With     float64 `json:"with_per_s"`
	Ratio    float64 `json:"ratio"`
}

func (r overheadRow) print(asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(os.Stdout).Encode(r)
		return
	}
	fmt.Printf("wrk, pipeline of %2d: %8.0f requests/s without the tracer, %8.0f with it: %.3f\n", r.Pipeline, r.Without, r.With, r.Ratio)
}

var perSecond = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)

// wrk measures requests a second.
func wrk(ctx context.Context, d time.Duration, pipeline int) (float64, error) {
	args := []string{"-t1", "-c64", fmt.Sprintf("-d%ds", max(1, int(d.Seconds())))}
	if pipeline > 1 {
		script, err := pipelineScript(pipeline)
		if err != nil {
			return 0, err
		}
		defer os.Remove(script)
		args = append(args, "-s", script)
	}
	out, err := exec.CommandContext(ctx, "wrk", append(args, "http://"+addresses[0]+"/")...).Output()
	if err != nil {
		return 0, fmt.Errorf("run wrk: %w", err)
	}
	m := perSecond.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("run wrk: no rate in its output: %q", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

func pipelineScript(n int) (string, error) {
	name := filepath.Join(os.TempDir(), fmt.Sprintf("httptrace-%d.lua", os.Getpid()))
	script := fmt.Sprintf(`init = function(args)
	local r = {}
	for i = 1, %d do r[i] = wrk.format() end
	req = table.concat(r)
end
request = function() return req end
`, n)
	return name, os.WriteFile(name, []byte(script), 0o600)
}
