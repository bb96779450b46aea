package target

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestFreezer: a process that counts does not count any further until it is thawed.
func TestFreezer(t *testing.T) {
	group := testkit.NewCgroup(t)
	file := filepath.Join(t.TempDir(), "count")
	cmd := exec.Command("/bin/sh", "-c", "while :; do echo >>"+file+"; sleep 0.001; done")
	group.Use(t, cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		// The sleep of the moment ends by itself.
	})
	count := func() int64 {
		info, err := os.Stat(file)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	grows := func() bool {
		n := count()
		for deadline := time.Now().Add(20 * time.Second); count() == n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				return false
			}
		}
		return true
	}
	f := &Freezer{Dir: group.Path}
	if !grows() {
		t.Fatal("it doesn't count")
	}
	for range 2 {
		if err := f.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	n := count()
	time.Sleep(50 * time.Millisecond)
	if count() != n {
		t.Error("it counts while it is frozen")
	}
	for range 2 {
		if err := f.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !grows() {
		t.Error("it doesn't count any more")
	}
}

func TestFreezerBadInput(t *testing.T) {
	err := (&Freezer{Dir: t.TempDir()}).Stop(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is that a cgroup of version 2") {
		t.Errorf("got %v", err)
	}
	// What pretends to be a cgroup never freezes.
	dir := t.TempDir()
	for _, name := range []string{"cgroup.freeze", "cgroup.events"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := (&Freezer{Dir: dir}).Stop(ctx); err == nil || !strings.Contains(err.Error(), "takes too long") {
		t.Errorf("got %v", err)
	}
}
