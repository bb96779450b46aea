package runtime

import (
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/bpf/xdp"
	"github.com/waggle-bpf/waggle/load"
)

// TestFaults makes every program of faults.go fault and checks what load says.
func TestFaults(t *testing.T) {
	next := tc.Next
	for _, tt := range []struct {
		program, function, what string
		index                   uint32
		divisor, count          int32
		verdict                 uint32
	}{
		{program: "Element", what: "index out of range", index: 4, verdict: uint32(next)},
		{program: "Quotient", what: "division by zero", verdict: uint32(next)},
		{program: "Deref", what: "nil pointer", index: 1, verdict: uint32(next)},
		{program: "Shift", what: "negative shift", count: -1, verdict: uint32(next)},
		{program: "Cut", what: "slice bounds out of range", index: 5, verdict: uint32(next)},
		{program: "Called", function: "inner", what: "index out of range", index: 0xffffffff, verdict: uint32(xdp.Pass)},
		{program: "Held", what: "index out of range", index: 7, verdict: uint32(next)},
		{program: "Chosen", what: "index out of range", index: 4, verdict: uint32(tc.Drop)},
	} {
		t.Run(tt.program, func(t *testing.T) {
			h := start(t, open(t, "faults"), load.Options{Programs: []string{tt.program}})
			set(t, h, "Index", tt.index)
			set(t, h, "Divisor", tt.divisor)
			set(t, h, "Count", tt.count)
			const runs = 100
			for range runs {
				if v := run(t, h, tt.program); v != tt.verdict {
					t.Fatalf("verdict %d, want %d", int32(v), int32(tt.verdict))
				}
			}
			function := tt.function
			if function == "" {
				function = tt.program
			}
			checkFault(t, h, lineOf(t, "faults/faults.go", function, tt.what), tt.what, runs)
			if tt.program == "Called" && get[uint64](t, h, "Result") != 1 {
				t.Error("a caller went on after the fault of what it had called")
			}
		})
	}
}

func checkFault(t *testing.T, h *load.Handle, line int, what string, count uint64) {
	t.Helper()
	faults, err := h.Faults()
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) != 1 {
		t.Fatalf("faults %v, want one", faults)
	}
	f := faults[0]
	if base(f.Pos) != "faults.go" || f.Line != line || f.Col == 0 || f.Count != count {
		t.Errorf("%v, %d times; want line %d, %d times", f, f.Count, line, count)
	}
	// The comments in the source say it shorter.
	words := strings.Fields(strings.NewReplacer("division", "divide").Replace(what))
	if !strings.Contains(f.Kind, words[0]) {
		t.Errorf("kind %q, want %q", f.Kind, what)
	}
}

// TestNoFault runs the same programs on what they can do.
func TestNoFault(t *testing.T) {
	h := start(t, open(t, "faults"), load.Options{})
	set(t, h, "Index", uint32(2))
	set(t, h, "Divisor", int32(-7))
	set(t, h, "Count", int32(40))
	if err := mapOf[uint32, uint64](t, h, "Numbers").Put(2, 99); err != nil {
		t.Fatal(err)
	}
	quotient := int64(-142)
	for program, want := range map[string]uint64{
		"Element": 12, "Quotient": uint64(quotient), "Deref": 99, "Shift": 1 << 40, "Cut": 2, "Called": 14,
	} {
		run(t, h, program)
		if got := get[uint64](t, h, "Result"); got != want {
			t.Errorf("%s: %d, want %d", program, got, want)
		}
	}
	if faults, err := h.Faults(); err != nil || len(faults) > 0 {
		t.Errorf("faults %v, %v", faults, err)
	}
	if n := len(h.Object().FaultSites()); n != 8 {
		t.Errorf("%d places where a fault may happen, want 8", n)
	}
}
