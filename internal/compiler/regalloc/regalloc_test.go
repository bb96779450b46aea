package regalloc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
	"github.com/waggle-bpf/waggle/internal/compiler/mach/machtest"
	"github.com/waggle-bpf/waggle/internal/compiler/regalloc"
)

var shapes = map[string]machtest.Shape{
	"small":    {Vars: 2, Stmts: 15, Calls: 6, Depth: 2},
	"calls":    {Vars: 6, Stmts: 60, Calls: 4, Depth: 3},
	"no calls": {Vars: 6, Stmts: 60, Depth: 3},
	"pressure": {Vars: 14, Stmts: 60, Calls: 20, Depth: 3},
	"huge":     {Vars: 20, Stmts: 120, Calls: 5, Depth: 4},
}

// same allocates f and verifies that it still does the same and that Layout
// keeps it so. It returns how many instructions ran before and after.
func same(f *mach.Func, ctx [machtest.Ctx]byte) error {
	if err := f.Check(); err != nil {
		return fmt.Errorf("before: %w", err)
	}
	text := f.String()
	want, _ := machtest.Run(f, ctx)
	if want.Err != "" {
		return fmt.Errorf("before: %s", want.Err)
	}
	var tooBig *regalloc.StackError
	if _, err := regalloc.Allocate(f); errors.As(err, &tooBig) {
		return nil
	} else if err != nil {
		return err
	}
	if err := f.CheckAllocated(); err != nil {
		return fmt.Errorf("after: %w\n%s\n%v", err, text, f)
	}
	got, _ := machtest.Run(f, ctx)
	if d := cmp.Diff(want, got); d != "" {
		return fmt.Errorf("allocated code differs (-want +got):\n%s\n%s\n%v", d, text, f)
	}
	c, err := f.Layout()
	if err != nil {
		return err
	}
	got, _ = machtest.RunCode(c, ctx)
	if d := cmp.Diff(want, got); d != "" {
		return fmt.Errorf("laid out code differs (-want +got):\n%s\n%s\n%v", d, text, c)
	}
	return nil
}

func random(seed uint64, s machtest.Shape) (*mach.Func, [machtest.Ctx]byte) {
	rng := rand.New(rand.NewPCG(seed, 7))
	var ctx [machtest.Ctx]byte
	for k := range ctx {
		ctx[k] = byte(rng.Uint32())
	}
	return machtest.Random(rng, s), ctx
}

func TestRandom(t *testing.T) {
	for name, s := range shapes {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(80) {
				if err := same(random(seed, s)); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
		})
	}
}

func FuzzAllocate(f *testing.F) {
	f.Add(uint64(1), uint8(8), uint8(60), uint8(5), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, vars, stmts, calls, depth uint8) {
		s := machtest.Shape{Vars: 1 + int(vars)%24, Stmts: int(stmts), Calls: int(calls) % 32, Depth: int(depth) % 5}
		if err := same(random(seed, s)); err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
	})
}

func TestDeterministic(t *testing.T) {
	for seed := range uint64(20) {
		var first string
		for run := range 3 {
			f, _ := random(seed, shapes["huge"])
			if _, err := regalloc.Allocate(f); err != nil && !errors.As(err, new(*regalloc.StackError)) {
				t.Fatal(err)
			}
			if run == 0 {
				first = f.String()
			} else if d := cmp.Diff(first, f.String()); d != "" {
				t.Fatalf("seed %d, run %d: %s", seed, run, d)
			}
		}
	}
}
