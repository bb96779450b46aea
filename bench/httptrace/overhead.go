package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// overhead runs wrk with and without the tracer in turn, each first every other time,
// so that neither side meets better weather.
func overhead(ctx context.Context, o options, server *process) error {
	for _, pipeline := range []int{1, 16} {
		wrk := func() (rates, error) { return runWrk(ctx, o.duration, pipeline, server) }
		if _, err := wrk(); err != nil { // warms up
			return err
		}
		var without, with rounds
		row := overheadRow{Pipeline: pipeline, Rounds: o.rounds}
		var tracer sample
		for i := range o.rounds {
			measures := []func() error{
				func() error {
					r, err := wrk()
					without.add(r)
					return err
				},
				func() error {
					t, err := startTracer()
					if err != nil {
						return err
					}
					r, err := wrk()
					with.add(r)
					seen, endErr := t.end()
					tracer = append(tracer, float64(seen.cpu.Microseconds())/float64(seen.lines))
					return errors.Join(err, endErr)
				},
			}
			if i%2 == 1 {
				slices.Reverse(measures)
			}
			for _, measure := range measures {
				if err := measure(); err != nil {
					return err
				}
			}
		}
		row.Without, row.With = without.figures(), with.figures()
		row.Ratio = figureOf(with.perSecond.over(without.perSecond))
		row.CPURatio = figureOf(with.cpu.over(without.cpu))
		row.Tracer = figureOf(tracer)
		o.print(row)
	}
	return nil
}

// rates are what wrk and nginx do.
type rates struct {
	perSecond float64 // requests
	cpu       float64 // microseconds of CPU time of nginx and wrk, for a request
}

// rounds are the rates of several rounds.
type rounds struct{ perSecond, cpu sample }

func (r *rounds) add(s rates) {
	r.perSecond, r.cpu = append(r.perSecond, s.perSecond), append(r.cpu, s.cpu)
}

func (r *rounds) figures() side { return side{figureOf(r.perSecond), figureOf(r.cpu)} }

// figure is a median and half the distance between the quartiles.
type figure struct {
	Median float64 `json:"median"`
	Spread float64 `json:"spread"`
}

func figureOf(s sample) figure { return figure{s.median(), s.spread()} }

type side struct {
	PerSecond figure `json:"requests_per_s"`
	CPU       figure `json:"us_per_request"` // CPU time of nginx and wrk
}

// overheadRow compares. Its ratios are the medians of each round's ratio.
type overheadRow struct {
	Pipeline int    `json:"wrk_pipeline"`
	Rounds   int    `json:"rounds"`
	Without  side   `json:"without"`
	With     side   `json:"with"`
	Ratio    figure `json:"requests_ratio"`
	CPURatio figure `json:"cpu_ratio"`
	Tracer   figure `json:"tracer_us_per_request"` // CPU time of the tracer itself
}

func (r overheadRow) String() string {
	return fmt.Sprintf("wrk, pipeline of %d, medians of %d: %.0f±%.0f requests/s without the tracer, %.0f±%.0f with it (%.3f±%.3f); "+
		"nginx and wrk take %.2f us of CPU for a request, %.2f with it (%.3f±%.3f), the tracer %.2f±%.2f",
		r.Pipeline, r.Rounds, r.Without.PerSecond.Median, r.Without.PerSecond.Spread, r.With.PerSecond.Median, r.With.PerSecond.Spread,
		r.Ratio.Median, r.Ratio.Spread, r.Without.CPU.Median, r.With.CPU.Median, r.CPURatio.Median, r.CPURatio.Spread, r.Tracer.Median, r.Tracer.Spread)
}

var wrkTotal = regexp.MustCompile(`(?m)^\s*([0-9]+) requests in`)

// runWrk measures.
func runWrk(ctx context.Context, d time.Duration, pipeline int, server *process) (rates, error) {
	args := []string{"-t1", "-c64", fmt.Sprintf("-d%ds", max(1, int(d.Seconds())))}
	if pipeline > 1 {
		script, err := pipelineScript(pipeline)
		if err != nil {
			return rates{}, err
		}
		defer os.Remove(script)
		args = append(args, "-s", script)
	}
	before, err := server.cpu()
	if err != nil {
		return rates{}, err
	}
	cmd := exec.CommandContext(ctx, "wrk", append(args, "http://"+addresses[0]+"/")...)
	begin := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return rates{}, fmt.Errorf("run wrk: %w", err)
	}
	took := time.Since(begin).Seconds()
	after, err := server.cpu()
	if err != nil {
		return rates{}, err
	}
	m := wrkTotal.FindSubmatch(out)
	if m == nil {
		return rates{}, fmt.Errorf("run wrk: no number of requests in its output: %q", out)
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	cpu := after - before + cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return rates{perSecond: n / took, cpu: float64(cpu.Microseconds()) / n}, err
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
