package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// figures are what the rounds have measured: by measure and peer, round after round.
type figures map[string]map[string][][]float64

// compare measures what was asked for and prints the table.
func compare(ctx context.Context, o *options) error {
	chosenPeers, err := choose(peers, o.peers)
	if err != nil {
		return err
	}
	chosenMeasures, err := choose(measures, o.measures)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(processors)
	// A collection would wait for every thread to come back from the kernel.
	debug.SetGCPercent(-1)
	waggle, remove, err := o.binary()
	if err != nil {
		return err
	}
	defer remove()
	files, err := openFiles()
	if err != nil {
		return err
	}
	// Two files for each connection, here and in the forwarder, and others.
	v := params{Front: front, Backend: backend, Waggle: waggle, Files: files}
	v.Connections = min(idleConnections, (files-2000)/2) + 100
	all, failures := make(figures), make(map[string]error)
	for range o.rounds {
		for _, m := range chosenMeasures {
			for _, p := range chosenPeers {
				if failures[p.name] != nil {
					continue
				}
				f, err := m.try(ctx, p, o, v)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					failures[p.name] = fmt.Errorf("%s: %s: %w", p.name, m.name, err)
					continue
				}
				all.add(m, p, f)
				if o.json {
					report(m, p, f)
				}
				runtime.GC()
			}
		}
	}
	if !o.json {
		table(os.Stdout, all, chosenMeasures, chosenPeers)
	}
	var errs []error
	for _, p := range chosenPeers {
		errs = append(errs, failures[p.name])
	}
	return errors.Join(errs...)
}

// try does one measurement of one peer.
func (m *measure) try(ctx context.Context, p *peer, o *options, v params) ([]float64, error) {
	t := &trial{ctx: ctx, target: front, duration: o.duration(), idle: v.Connections - 100}
	if p.idle > 0 {
		t.idle = min(t.idle, p.idle)
	}
	if p.direct {
		t.target = backend
		return m.run(t)
	}
	process, err := start(p, v)
	if err != nil {
		return nil, err
	}
	f, err := func() ([]float64, error) {
		t.process = process
		return m.run(t)
	}()
	process.stop()
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, process.lastWords())
	}
	return f, nil
}

func (f figures) add(m *measure, p *peer, values []float64) {
	if f[m.name] == nil {
		f[m.name] = make(map[string][][]float64)
	}
	f[m.name][p.name] = append(f[m.name][p.name], values)
}

// median is a column's median over the rounds.
func (f figures) median(m *measure, p *peer, column int) (float64, bool) {
	rounds := f[m.name][p.name]
	if len(rounds) == 0 {
		return 0, false
	}
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = r[column]
	}
	slices.Sort(values)
	return values[len(values)/2], true
}

func report(m *measure, p *peer, values []float64) {
	line := map[string]any{"measure": m.name, "peer": p.name}
	for i, c := range m.columns {
		line[c.key] = values[i] * c.scale
	}
	_ = json.NewEncoder(os.Stdout).Encode(line)
}

// binary builds waggle, unless there is one.
func (o *options) binary() (path string, remove func(), err error) {
	if o.waggle != "" {
		path, err = filepath.Abs(o.waggle)
		return path, func() {}, err
	}
	dir, err := os.MkdirTemp("", "waggle-bench-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	path = filepath.Join(dir, "waggle")
	if out, err := exec.Command("go", "build", "-o", path, "./cmd/waggle").CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("build waggle: %w: %s", err, out)
	}
	return path, remove, nil
}

// named is a peer or a measure.
type named[T any] interface {
	*T
	fmt.Stringer
}

// choose finds what is named, separated by commas; all if nothing is.
func choose[T any, P named[T]](all []T, text string) (chosen []P, err error) {
	wanted := strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
	for i := range all {
		if p := P(&all[i]); len(wanted) == 0 || slices.Contains(wanted, p.String()) {
			chosen = append(chosen, p)
		}
	}
	for _, name := range wanted {
		if !slices.Contains(names[T, P](all), name) {
			return nil, fmt.Errorf("choose %q: not one of %s", name, strings.Join(names[T, P](all), ", "))
		}
	}
	return chosen, nil
}

func names[T any, P named[T]](all []T) (list []string) {
	for i := range all {
		list = append(list, P(&all[i]).String())
	}
	return list
}
