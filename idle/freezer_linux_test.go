package idle

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/waggle-bpf/waggle/internal/cgroup"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/target"
)

// TestCheckOutside: however our own cgroup is written, it is not frozen.
func TestCheckOutside(t *testing.T) {
	own, err := cgroup.Own()
	testkit.Need(t, err)
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(wd, own)
	if err != nil {
		t.Fatal(err)
	}
	for dir, outside := range map[string]bool{
		own: false, own + "/": false, relative: false, "/": false, own + "/below": true, own + "-beside": true,
	} {
		if err := checkOutside(dir); (err == nil) != outside {
			t.Errorf("%s: got %v", dir, err)
		}
	}
}

// TestFreezerOver: what was frozen is not any more when others have thawed it, or when it
// is gone, which then is no error.
func TestFreezerOver(t *testing.T) {
	dir := t.TempDir()
	where := place{err: errNobody}
	f := &freezer{target.Freezer{Dir: dir}, func() place { return where }}
	state := filepath.Join(dir, "cgroup.freeze")
	for text, want := range map[string]bool{"1\n": false, "0\n": true} {
		if err := os.WriteFile(state, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := f.over(); got != want {
			t.Errorf("%q: over %v", text, got)
		}
	}
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	if err := f.Start(t.Context()); err != nil || !f.over() {
		t.Errorf("gone: %v, over %v", err, f.over())
	}
	if err := f.Stop(t.Context()); !absent(err) || f.over() {
		t.Errorf("nobody there: %v, over %v", err, f.over())
	}
	where = place{dir: dir}
	if !f.over() {
		t.Error("it runs, and is not frozen")
	}
}
