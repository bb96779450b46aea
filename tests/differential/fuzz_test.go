package differential

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/tests/differential/progen"
)

// FuzzPrograms compares batches of generated programs.
func FuzzPrograms(f *testing.F) {
	testkit.RequireRoot(f)
	for i := range *batches {
		f.Add(*seed + i)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		testkit.RequireTool(t, "go")
		var programs []*Program
		var sources [][]byte
		for i := range uint64(10) {
			src := progen.Program(fmt.Sprint("p", i), seed<<8+i)
			p, err := NewProgram(src)
			if err != nil {
				t.Fatalf("%v\n%s", err, src)
			}
			programs, sources = append(programs, p), append(sources, src)
		}
		errs, err := ComparePrograms(context.Background(), t.TempDir(), seed, 50, programs...)
		if err != nil {
			t.Fatal(err)
		}
		for i, err := range errs {
			if err == nil {
				continue
			}
			if reason := beyond(err); reason != "" {
				t.Logf("program %d: %s", i, reason)
				continue
			}
			t.Errorf("program %d: %v\n%s", i, err, sources[i])
			if *reduce {
				t.Logf("reduced:\n%s", reduced(t, seed, sources[i], err))
			}
		}
	})
}

// What is generated without fuzzing: batches of ten programs from a seed on.
var (
	seed    = flag.Uint64("seed", 0, "first seed of generated programs")
	batches = flag.Uint64("batches", 3, "number of batches of generated programs")
)

// reduce asks for a smaller program with the same failure, which takes a while.
var reduce = flag.Bool("reduce", false, "reduce the programs that fail")

// reduced makes a failing program smaller.
func reduced(t *testing.T, seed uint64, src []byte, failure error) []byte {
	same := func(src []byte) bool {
		p, err := NewProgram(src)
		if err != nil {
			return false
		}
		errs, err := ComparePrograms(context.Background(), t.TempDir(), seed, 50, p)
		return err == nil && errs[0] != nil && beyond(errs[0]) == "" && symptom(errs[0]) == symptom(failure)
	}
	return progen.Reduce(src, same)
}

// symptom is what stays the same while a program is reduced: the last words of
// the verifier, or that there is a mismatch.
func symptom(err error) string {
	var m *Mismatch
	if errors.As(err, &m) {
		return "mismatch"
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	last := lines[max(0, len(lines)-2)]
	return regexp.MustCompile(`[0-9].*`).ReplaceAllString(last, "")
}

// tooComplex is what the verifier says of programs that are too much for it.
var tooComplex = regexp.MustCompile(`BPF program is too large|jumps is too complex|too many states|infinite loop detected`)

// beyond tells which documented limit a program is beyond; empty if none.
func beyond(err error) string {
	var refused compile.Diagnostics
	if errors.As(err, &refused) {
		return refused.Error()
	}
	return tooComplex.FindString(err.Error())
}
