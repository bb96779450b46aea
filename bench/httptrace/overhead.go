package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// overhead runs wrk with and without the tracer, several times in turn, so that a
// busy moment of the machine does not hit one side alone.
func overhead(ctx context.Context, o options, server *process) error {
	const rounds = 3
	for _, pipeline := range []int{1, 16} {
		row := overheadRow{Pipeline: pipeline}
		for range rounds {
			without, err := runWrk(ctx, o.duration, pipeline, server)
			if err != nil {
				return err
			}
			row.Without.add(without, rounds)
			t, err := startTracer()
			if err != nil {
				return err
			}
			with, err := runWrk(ctx, o.duration, pipeline, server)
			if err != nil {
				return err
			}
			row.With.add(with, rounds)
			seen, err := t.end()
			if err != nil {
				return err
			}
			row.Tracer += float64(seen.cpu.Microseconds()) / float64(seen.lines) / rounds
		}
		row.print(o.json)
	}
	return nil
}

// overheadRow compares; its numbers are means.
type overheadRow struct {
	Pipeline int     `json:"wrk_pipeline"`
	Without  rates   `json:"without"`
	With     rates   `json:"with"`
	Tracer   float64 `json:"tracer_us_per_request"` // CPU time of the tracer itself
}

// rates are what wrk and nginx do.
type rates struct {
	PerSecond float64 `json:"requests_per_s"`
	CPU       float64 `json:"us_per_request"` // CPU time of nginx and wrk
}

func (r *rates) add(s rates, parts float64) {
	r.PerSecond += s.PerSecond / parts
	r.CPU += s.CPU / parts
}

func (r overheadRow) print(asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(os.Stdout).Encode(r)
		return
	}
	fmt.Printf("wrk, pipeline of %d: %.0f requests/s without the tracer, %.0f with it (%.3f); nginx and wrk take %.2f us of CPU for a request, %.2f with it (%.3f), the tracer %.2f\n",
		r.Pipeline, r.Without.PerSecond, r.With.PerSecond, r.With.PerSecond/r.Without.PerSecond,
		r.Without.CPU, r.With.CPU, r.With.CPU/r.Without.CPU, r.Tracer)
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
	return rates{PerSecond: n / took, CPU: float64(cpu.Microseconds()) / n}, err
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
