package examples

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// names are the examples, by directory.
func names(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("*/kern")
	if err != nil || len(dirs) < 10 {
		t.Fatalf("found only %q, %v", dirs, err)
	}
	for i, dir := range dirs {
		dirs[i] = filepath.Dir(dir)
	}
	return dirs
}

// TestVerify compiles every kernel half and lets the kernel verify it. None has
// a place where it could fault.
func TestVerify(t *testing.T) {
	testkit.RequireRoot(t)
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			obj, err := compile.Compile(context.Background(), compile.Config{Dir: filepath.Join(name, "kern"), Check: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range obj.Faults {
				t.Errorf("%v: may fault: %s", f.Pos, f.Kind)
			}
			o, err := load.OpenBytes(name, obj.ELF)
			if err != nil {
				t.Fatal(err)
			}
			h, err := o.Load(load.Options{})
			testkit.Need(t, err)
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestComplete: every example is explained and tested, and says how to run it.
func TestComplete(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names(t) {
		for _, want := range []string{"\n## [" + name + "](" + name + ")", "go run ./examples/" + name} {
			if !strings.Contains(string(readme), want) {
				t.Errorf("README.md has no %q", want)
			}
		}
		for _, file := range []string{"main.go", "main_linux_test.go", "kern/kern.go", "kern/kern_test.go"} {
			if _, err := os.Stat(filepath.Join(name, file)); err != nil {
				t.Error(err)
			}
		}
	}
}
