package pass

import (
	"errors"
	"flag"
	"testing"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/ir/interp"
	"github.com/waggle-bpf/waggle/internal/compiler/ir/irtest"
)

var (
	firstSeed = flag.Uint64("seed", 0, "first seed of the random programs")
	numSeeds  = flag.Uint64("seeds", 300, "number of random programs")
)

// inputs is how many inputs each random program gets.
const inputs = 6

// TestRandom: a random program does the same after each pass of the pipeline.
func TestRandom(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*numSeeds; seed++ {
		comparePipeline(t, seed)
	}
}

func comparePipeline(t *testing.T, seed uint64) {
	t.Helper()
	m := irtest.Random(seed)
	m.Sizes = nil
	want := outcomes(t, m)
	expanded, released := false, false
	for _, p := range Pipeline {
		before := m.String()
		apply(t, p, m)
		expanded = expanded || p.Name == "expand"
		released = released || p.Name == "release"
		for _, f := range m.Funcs {
			if err := f.Check(); err != nil {
				t.Fatalf("seed %d, pass %s: %v", seed, p.Name, err)
			}
		}
		for n, w := range want {
			if w == nil {
				continue
			}
			got, err := irtest.Run(m, uint64(n), expanded)
			if errors.Is(err, interp.ErrFuel) {
				err = errors.New("runs longer than before")
			}
			if err != nil {
				t.Fatalf("seed %d, input %d, pass %s: %v\nbefore:\n%s\nafter:\n%s", seed, n, p.Name, err, before, m)
			}
			if released && len(got.Held) > 0 {
				t.Fatalf("seed %d, input %d, pass %s: never given back: %s\nbefore:\n%s\nafter:\n%s", seed, n, p.Name, got.Held, before, m)
			}
			if diff := irtest.Diff(w, got, 77); diff != "" {
				t.Fatalf("seed %d, input %d, pass %s: %s\nbefore:\n%s\nafter:\n%s", seed, n, p.Name, diff, before, m)
			}
		}
	}
}

func apply(t *testing.T, p Pass, m *ir.Module) {
	t.Helper()
	if p.Module != nil {
		if err := p.Module(m); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, f := range m.Funcs {
		p.Func(f)
	}
}

// outcomes runs a program on some inputs; nil marks those that take too long.
func outcomes(t *testing.T, m *ir.Module) []*interp.Outcome {
	t.Helper()
	var out []*interp.Outcome
	for n := range uint64(inputs) {
		o, err := irtest.Run(m, n, false)
		if err != nil && !errors.Is(err, interp.ErrFuel) {
			t.Fatal(err)
		}
		out = append(out, o)
	}
	return out
}
