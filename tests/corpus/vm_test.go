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
	code, out, err := runVM(t, cfg)
	if err != nil {
		t.Logf("%v\n%s\ntrying once more", err, out) // in software emulation, a kernel may hang
		code, out, err = runVM(t, cfg)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	passed := 0
	for line := range strings.Lines(out) {
		switch {
		case strings.HasPrefix(line, "    --- PASS: TestCorpus/"):
			passed++
		case strings.Contains(line, "--- SKIP: "), strings.Contains(line, "verifier processed"):
			t.Log(strings.TrimSpace(line))
		}
	}
	t.Logf("kernel %s: %d of %d packages", k.Release, passed, len(entries))
	if code != 0 || passed != len(entries) {
		t.Errorf("exit code %d, %d packages of %d passed:\n%s", code, passed, len(entries), out)
	}
}

func runVM(t *testing.T, cfg vm.Config) (code int, out string, err error) {
	var buf bytes.Buffer
	cfg.Stdout = &buf
	code, err = vm.Run(t.Context(), cfg)
	return code, buf.String(), err
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
