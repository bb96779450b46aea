package differential

import (
	"embed"
	"flag"
	"io/fs"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// inputs is how many inputs every function is compared with.
var inputs = flag.Int("inputs", 1000, "inputs for each function")

//go:embed funcs/*.go
var funcsFiles embed.FS

func TestFunctions(t *testing.T) {
	dir, err := fs.Sub(funcsFiles, "funcs")
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSubject(dir)
	if err != nil {
		t.Fatal(err)
	}
	if s.NumFuncs() < 60 {
		t.Errorf("%d functions are compared, want at least 60", s.NumFuncs())
	}
	s.Run(t, *inputs, functions...)
}
