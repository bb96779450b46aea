package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/waggle-bpf/waggle/load"
)

// columns names the figures and tells how to get at them.
var columns = []struct {
	title  string
	format string
	of     func(figures) float64
}{
	{"sent M/s", "%.2f", func(f figures) float64 { return f.sent / 1e6 }},
	{"received M/s", "%.2f", func(f figures) float64 { return f.received / 1e6 }},
	{"lost %", "%.3f", func(f figures) float64 { return f.lost * 100 }},
	{"reader ns/event", "%.0f", func(f figures) float64 { return f.cpu }},
}

// table measures all variants, in turn, and prints the medians.
func table(ctx context.Context, obj *load.Object, o options, rate float64) error {
	rounds := make(map[string][]figures)
	for range o.rounds {
		for _, v := range o.chosen() {
			f, err := v.measure(ctx, obj, o.events, rate)
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			rounds[v.name] = append(rounds[v.name], f)
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "variant\t")
	for _, c := range columns {
		fmt.Fprintf(w, "%s\t", c.title)
	}
	fmt.Fprintln(w, "received/cilium\tCPU/cilium\t")
	for _, v := range o.chosen() {
		fmt.Fprintf(w, "%s\t", v.name)
		for _, c := range columns {
			fmt.Fprintf(w, c.format+"\t", median(rounds[v.name], c.of))
		}
		if v.peer != "" {
			fmt.Fprintf(w, "%.2f\t%.2f\t", ratio(rounds, v, received), ratio(rounds, v, cpu))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

func received(f figures) float64 { return f.received }
func cpu(f figures) float64      { return f.cpu }

func ratio(rounds map[string][]figures, v variant, of func(figures) float64) float64 {
	return median(rounds[v.name], of) / median(rounds[v.peer], of)
}

func median(fs []figures, of func(figures) float64) float64 {
	xs := make([]float64, len(fs))
	for i, f := range fs {
		xs[i] = of(f)
	}
	slices.Sort(xs)
	return xs[len(xs)/2]
}
