package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// print prints a row, as text or as JSON.
func (o options) print(row fmt.Stringer) {
	if o.json {
		_ = json.NewEncoder(os.Stdout).Encode(row)
		return
	}
	fmt.Println(row)
}

// sample is a figure, measured several times.
type sample []float64

// quantile is the value below which a share q of the sample lies.
func (s sample) quantile(q float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

func (s sample) median() float64 { return s.quantile(0.5) }

// spread is half the distance between the quartiles.
func (s sample) spread() float64 { return (s.quantile(0.75) - s.quantile(0.25)) / 2 }

// over divides sample by sample.
func (s sample) over(t sample) sample {
	out := make(sample, len(s))
	for i := range s {
		out[i] = s[i] / t[i]
	}
	return out
}
