package packet

import (
	"os"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestOwners: an owner lives until it is closed, for everybody who sees the directory.
func TestOwners(t *testing.T) {
	testkit.RequireRoot(t)
	dir, err := os.MkdirTemp("/sys/fs/bpf", "owners")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	var o [3]*owners
	for i := range o {
		if o[i], err = openOwners(dir); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { o[i].close() })
	}
	if o[0].me == o[1].me || o[0].me == nobody {
		t.Errorf("owners %x and %x", o[0].me, o[1].me)
	}
	for i, a := range o {
		for j, b := range o {
			if !a.lives(b.me) {
				t.Errorf("to %d, %d doesn't live", i, j)
			}
		}
	}
	if err := o[2].close(); err != nil {
		t.Fatal(err)
	}
	if o[0].lives(o[2].me) || !o[0].lives(o[1].me) {
		t.Error("the one that ended lives, or another doesn't")
	}
}
