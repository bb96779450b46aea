package differential

import (
	"embed"
	"flag"
	"io/fs"
	"testing"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var inputs = flag.Int("inputs", 1000, "inputs for each function, a tenth of them with -short")

// numInputs is how many inputs every function is compared with.
func numInputs() int {
	if testing.Short() {
		return *inputs / 10
	}
	return *inputs
}

//go:embed funcs/*.go
var funcsFiles embed.FS

func TestFunctions(t *testing.T) {
	s := subject(t)
	if s.NumFuncs() < 60 {
		t.Errorf("%d functions are compared, want at least 60", s.NumFuncs())
	}
	s.Run(t, numInputs(), functions...)
}

// TestBoundedLoops compares the same functions with most loops ended by the
// kernel: the verifier knows next to nothing of what happens in them.
func TestBoundedLoops(t *testing.T) {
	testkit.NeedKernel(t, "6.9", "may_goto")
	s := subject(t)
	s.Bound = compile.BoundUncounted
	s.Run(t, numInputs()/20, functions...)
}

func subject(t *testing.T) *Subject {
	t.Helper()
	dir, err := fs.Sub(funcsFiles, "funcs")
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSubject(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
