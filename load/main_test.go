package load

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patience is how long to wait for what should come at once: machines may be busy.
const patience = 20 * time.Second

// openObject opens an object of testdata; its source lies beside it.
func openObject(t testing.TB, name string) *Object {
	t.Helper()
	o, err := Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// loadObject loads an object; what the kernel lacks skips the test.
func loadObject(t testing.TB, o *Object, opts Options) *Handle {
	t.Helper()
	testkit.RequireRoot(t)
	h, err := o.Load(opts)
	testkit.Need(t, err)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("close handle: %v", err)
		}
	})
	return h
}

// run runs a program n times on a small packet and returns its last result.
func run(t testing.TB, h *Handle, program string, n int) uint32 {
	t.Helper()
	p, err := h.Program(program)
	if err != nil {
		t.Fatal(err)
	}
	ret, err := p.Run(&ebpf.RunOptions{Data: make([]byte, 64), Repeat: uint32(n)})
	if err != nil {
		t.Fatal(err)
	}
	return ret
}

func readFile(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func removeAll(t testing.TB, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}
