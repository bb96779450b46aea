//go:build linux

package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/vm"
)

// TestOtherKernel runs TestCorpus on a distribution's kernel in a virtual machine.
// The objects are compiled here.
func TestOtherKernel(t *testing.T) {
	testkit.RequireTool(t, "qemu-system-x86_64")
	k, err := vm.FetchKernel(t.Context(), "../../.cache")
	if errors.Is(err, vm.ErrNotSupported) {
		err = fmt.Errorf("%w: %w", err, ebpf.ErrNotSupported)
	}
	testkit.Need(t, err)
	dir := t.TempDir()
	for _, e := range entries {
		if err := os.WriteFile(filepath.Join(dir, e.dir+".o"), object(t, e.dir), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := vm.Config{
		Kernel: k, Timeout: 2 * time.Minute,
		Argv:  []string{staticTest(t), "-test.v", "-test.run=^TestCorpus$", "-test.timeout=110s"},
		Env:   []string{"WAGGLE_VM=1", "WAGGLE_CI=" + os.Getenv("WAGGLE_CI"), objectsEnv + "=" + dir},
		Files: []string{dir},
	}
	var buf bytes.Buffer
	cfg.Stdout, cfg.Log = &buf, t.Output()
	code, err := vm.Run(t.Context(), cfg)
	out := buf.String()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	passes := map[string]bool{} // by line: a machine that hung has run some of them before
	for line := range strings.Lines(out) {
		switch {
		case strings.HasPrefix(line, "    --- PASS: TestCorpus/"):
			passes[strings.Fields(line)[2]] = true
		case strings.Contains(line, "--- SKIP: "), strings.Contains(line, "verifier processed"):
			t.Log(strings.TrimSpace(line))
		}
	}
	passed := len(passes)
	t.Logf("kernel %s: %d of %d packages", k.Release, passed, len(entries))
	if code != 0 || passed != len(entries) {
		t.Errorf("exit code %d, %d packages of %d passed:\n%s", code, passed, len(entries), out)
	}
}

// staticTest builds this test without C.
func staticTest(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "corpus.test")
	cmd := exec.Command("go", "test", "-c", "-ldflags=-s -w", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}
