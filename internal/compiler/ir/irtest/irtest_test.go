package irtest

import (
	"errors"
	"testing"

	"github.com/waggle-bpf/waggle/internal/compiler/ir/interp"
)

// TestRandom: random programs are sound, and do the same when they are written
// down and read back.
func TestRandom(t *testing.T) {
	var faults, calls, returns int
	for seed := range uint64(500) {
		m := Random(seed)
		for _, f := range m.Funcs {
			if err := f.Check(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		again, err := Clone(m)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if again.String() != m.String() {
			t.Fatalf("seed %d: text is not stable", seed)
		}
		for n := range uint64(4) {
			want, err := Run(m, n, false)
			if errors.Is(err, interp.ErrFuel) {
				continue
			}
			if err != nil {
				t.Fatalf("seed %d, input %d: %v\n%s", seed, n, err, m)
			}
			got, err := Run(again, n, false)
			if err != nil {
				t.Fatalf("seed %d, input %d, text: %v\n%s", seed, n, err, m)
			}
			if diff := Diff(want, got, 77); diff != "" {
				t.Fatalf("seed %d, input %d: %s", seed, n, diff)
			}
			if want.Fault != nil {
				faults++
			} else {
				returns++
			}
			calls += len(want.Trace)
		}
	}
	t.Logf("%d returned, %d faulted, %d calls", returns, faults, calls)
	if faults < 100 || returns < 500 || calls < 1000 {
		t.Error("the programs do too little")
	}
}
