//go:build linux

package vm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func kernel(t *testing.T) *Kernel {
	t.Helper()
	if testkit.InVM() {
		t.Skip("no machine in a machine")
	}
	testkit.RequireTool(t, "qemu-system-x86_64")
	k, err := FetchKernel(t.Context(), "../../../.cache")
	if errors.Is(err, ErrNotSupported) && !testkit.CI() {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// probe builds the program of testdata/probe.
func probe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "probe")
	cmd := exec.Command("go", "build", "-o", path, "./testdata/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func TestRun(t *testing.T) {
	k, bin := kernel(t), probe(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		exit int
		out  string
		err  string // what the error contains
	}{
		{name: "loads a program", args: []string{"load"}, out: k.Release + " 2\n"},
		{name: "exit code", args: []string{"exit", "42"}, exit: 42},
		{name: "signal", args: []string{"abort"}, exit: 128 + 9},
		{name: "files and environment", args: []string{"env", file}, out: filepath.Dir(file) + " yes content<nil>\n"},
		{name: "all output arrives", args: []string{"flood"}, out: strings.Repeat(strings.Repeat("x", 99)+"\n", 2000)},
		{name: "kernel panic", args: []string{"panic"}, err: "sysrq triggered crash"},
		{name: "time-out", args: []string{"hang"}, err: "no result within 8s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			cfg := Config{
				Kernel: k, Argv: append([]string{bin}, test.args...), Stdout: &out,
				Dir: filepath.Dir(file), Files: []string{file}, Env: []string{"WAGGLE_PROBE=yes"},
			}
			if strings.HasPrefix(test.err, "no result") {
				cfg.Timeout = 8 * time.Second
			}
			code, err := Run(t.Context(), cfg)
			switch {
			case test.err == "" && err != nil:
				t.Fatal(err)
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Fatalf("got error %v, want %s", err, test.err)
			}
			if code != test.exit || out.String() != test.out {
				t.Errorf("got exit code %d and %q, want %d and %q", code, out.String(), test.exit, test.out)
			}
		})
	}
}

func TestModuleOrder(t *testing.T) {
	k := kernel(t)
	files, err := k.moduleFiles([]string{"8021q", "veth", "8021q"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".ko"))
	}
	for _, before := range [][2]string{{"llc", "stp"}, {"stp", "garp"}, {"garp", "8021q"}} {
		if a, b := slices.Index(names, before[0]), slices.Index(names, before[1]); a < 0 || b < a {
			t.Errorf("got %v, want %s before %s", names, before[0], before[1])
		}
	}
	if _, err := k.moduleFiles([]string{"no_such_module"}); err == nil {
		t.Error("got no error for an unknown module")
	}
}

func TestRunRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no kernel":  {Argv: []string{"x"}},
		"no program": {Kernel: &Kernel{}},
	} {
		if _, err := Run(context.Background(), cfg); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestArchiveKeepsFirstError(t *testing.T) {
	var out bytes.Buffer
	a := newArchive(&out)
	a.file("/x", filepath.Join(t.TempDir(), "missing"))
	a.data("/y", []byte("y"))
	if err := a.close(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestArchiveReadable lists an archive with cpio, which is not ours.
func TestArchiveReadable(t *testing.T) {
	testkit.RequireTool(t, "cpio")
	var out bytes.Buffer
	a := newArchive(&out)
	a.data("/dir/sub/file", []byte("12345"))
	a.data("/b", nil)
	a.dir("/dir/sub")
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("cpio", "-t", "--quiet")
	cmd.Stdin = &out
	got, err := cmd.Output()
	if want := "dir\ndir/sub\ndir/sub/file\nb\n"; string(got) != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
