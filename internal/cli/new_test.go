package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestTaken asks for all names that the standard library has taken.
func TestTaken(t *testing.T) {
	testkit.RequireTool(t, "go")
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(strings.TrimSpace(string(out)), "src"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !taken(e.Name()) {
			t.Errorf("%s is not taken", e.Name())
		}
	}
	for _, name := range []string{"hits", "fmt2", "auxiliary", "com", "console"} {
		if taken(name) {
			t.Errorf("%s is taken", name)
		}
	}
}
