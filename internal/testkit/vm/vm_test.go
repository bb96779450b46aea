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
		{
			// A program is loaded, files and environment are there, all output arrives.
			name: "exit code", args: []string{"load", "env=" + file, "flood", "exit=42"}, exit: 42,
			out: k.Release + " 2\n" + filepath.Dir(file) + " yes content<nil>\n" + strings.Repeat(strings.Repeat("x", 99)+"\n", 2000),
		},
		{name: "signal", args: []string{"abort"}, exit: 128 + 9},
		{name: "kernel panic", args: []string{"panic"}, err: "sysrq triggered crash"},
		{name: "time-out", args: []string{"hang"}, err: "no result within 1s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			cfg := Config{
				Kernel: k, Argv: append([]string{bin}, test.args...), Stdout: &out, Log: t.Output(),
				Dir: filepath.Dir(file), Files: []string{file}, Env: []string{"WAGGLE_PROBE=yes"},
			}
			if strings.HasPrefix(test.err, "no result") {
				cfg.Timeout = time.Second
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

// TestNoBoot gives a machine no time to come up: it gets a second chance, and that
// is told.
func TestNoBoot(t *testing.T) {
	k, bin := kernel(t), probe(t)
	var log bytes.Buffer
	_, err := Run(t.Context(), Config{Kernel: k, Argv: []string{bin, "exit=0"}, BootTimeout: time.Millisecond, Log: &log})
	const want = "it did not boot within 1ms"
	if !errors.Is(err, errNoBoot) || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want %s", err, want)
	}
	if got := log.String(); !strings.Contains(got, want) || strings.Count(got, "trying once more") != 1 {
		t.Errorf("the log says %q", got)
	}
}

// TestStandsStill takes a machine for hung that has had no time for a sign of life.
func TestStandsStill(t *testing.T) {
	k, bin := kernel(t), probe(t)
	var log bytes.Buffer
	_, err := Run(t.Context(), Config{Kernel: k, Argv: []string{bin, "hang"}, BeatTimeout: 10 * time.Millisecond, Log: &log})
	const want = "it stood still for 10ms"
	if !errors.Is(err, errHung) || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want %s", err, want)
	}
	if got := log.String(); !strings.Contains(got, want) || strings.Count(got, "trying once more") != 1 {
		t.Errorf("the log says %q", got)
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
