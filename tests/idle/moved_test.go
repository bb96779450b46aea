//go:build linux

package idle

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestFreezeMoved: a service that others start anew in another cgroup is frozen there, and
// one that doesn't run when it is.
func TestFreezeMoved(t *testing.T) {
	t.Parallel()
	testkit.RequireRoot(t)
	group := testkit.NewCgroup(t)
	port := freePort(t)
	start := func(name string) (dir string, end func()) {
		dir = filepath.Join(group.Path, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		other := startIn(t, &testkit.Cgroup{Path: dir}, port)
		dial(t, port).Close()
		return dir, func() {
			_ = other.Process.Kill()
			_ = other.Wait()
			eventually(t, "the cgroup goes", func() bool { return os.Remove(dir) == nil })
		}
	}
	isFrozen := func(dir, want string) bool {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.freeze"))
		return err == nil && string(text) == want+"\n"
	}
	first, end := start("first")
	p := waggle(t, "--port", port, "--idle", "500ms", "--on-idle", "freeze")
	p.Expect("^waggle: frozen, until somebody comes")
	if !isFrozen(first, "1") {
		t.Error("the first one is not frozen")
	}
	end()
	p.Expect("^waggle: not frozen any more")
	p.Expect("^waggle: nothing to freeze: .*nobody listens on port " + port)
	second, end := start("second")
	p.Expect("^waggle: frozen, until somebody comes")
	if !isFrozen(second, "1") {
		t.Error("the second one is not frozen")
	}
	c := dial(t, port)
	p.Expect("^waggle: thawed: somebody is there")
	if !isFrozen(second, "0") {
		t.Error("the second one is not thawed")
	}
	c.Close()
	p.Expect("^waggle: frozen, until somebody comes")
	end()
	p.Signal(syscall.SIGTERM)
	wantCode(t, p, 0)
}
