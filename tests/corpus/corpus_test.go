package corpus

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// entry is one kernel package and what is expected of it.
type entry struct {
	dir string
	// constants are set before loading.
	constants []constant
	// twin runs programs on packets and contexts of its own, in the kernel and
	// natively.
	twin func(*world)
	// live attaches programs and makes happen what they wait for.
	live func(*world)
}

// constant is a value for a //bpf:const variable.
type constant struct {
	name  string
	value any
	set   func() (restore func()) // natively
}

// con makes a constant of the variable that p points to.
func con[T any](name string, p *T, value T) constant {
	return constant{name, value, func() func() {
		old := *p
		*p = value
		return func() { *p = old }
	}}
}

func TestCorpus(t *testing.T) {
	testkit.RequireRoot(t)
	for _, e := range entries {
		t.Run(e.dir, func(t *testing.T) {
			h := e.load(t)
			for _, p := range h.Object().Programs() {
				stats, err := h.VerifierStats(p.Name)
				if err != nil {
					t.Error(err)
				}
				t.Logf("%s: %d instructions, verifier processed %d", p.Name, p.Instructions, stats.Processed)
			}
			if e.twin != nil {
				t.Run("kernel", func(t *testing.T) { e.twin(&world{T: t, h: h}) })
				t.Run("native", func(t *testing.T) { e.twin(e.native(t)) })
			}
			if e.live != nil {
				t.Run("live", func(t *testing.T) { e.live(&world{T: t, h: e.load(t)}) })
			}
		})
	}
}

// TestEveryDirectory: no package is left out of the table.
func TestEveryDirectory(t *testing.T) {
	files, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		dir := filepath.Dir(f)
		if !slices.ContainsFunc(entries, func(e entry) bool { return e.dir == dir }) {
			t.Errorf("package %s is in no entry", dir)
		}
	}
}

// TestNoFaults: samples are written so that the compiler can prove that they don't
// fault, with the exceptions listed here.
func TestNoFaults(t *testing.T) {
	may := map[string]bool{
		"dhcprelay": true, // copy checks every byte of a packet
		"vlanparse": true, // an index from memory
	}
	for _, e := range entries {
		obj, err := compiled(e.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range obj.Faults {
			if !may[e.dir] {
				t.Errorf("%s: may fault: %s", f.Pos, f.Kind)
			}
		}
		if may[e.dir] && len(obj.Faults) == 0 {
			t.Errorf("%s does not fault any more", e.dir)
		}
	}
}

var cache sync.Map // directory to func() (*compile.Object, error)

// compiled compiles a package, once.
func compiled(dir string) (*compile.Object, error) {
	f, _ := cache.LoadOrStore(dir, sync.OnceValues(func() (*compile.Object, error) {
		return compile.Compile(context.Background(), compile.Config{Dir: dir, Check: true})
	}))
	return f.(func() (*compile.Object, error))()
}

// object returns a package's object file.
func object(t testing.TB, dir string) []byte {
	t.Helper()
	obj, err := compiled(dir)
	if err != nil {
		t.Fatal(err)
	}
	return obj.ELF
}

// logLines is how much of a verifier log is shown.
const logLines = 60

// pinRoot is on the BPF file system that the test binary has for itself.
const pinRoot = "/sys/fs/bpf"

// load puts a package's programs and maps into the kernel until the test ends.
func (e *entry) load(t *testing.T) *load.Handle {
	t.Helper()
	obj, err := load.OpenBytes(e.dir+".o", object(t, e.dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range e.constants {
		if err := obj.Set(c.name, c.value); err != nil {
			t.Fatal(err)
		}
	}
	pins, err := os.MkdirTemp(pinRoot, e.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(pins); err != nil {
			t.Error(err)
		}
	})
	h, err := obj.Load(load.Options{PinPath: pins})
	var verifier *load.VerifierError
	if errors.As(err, &verifier) {
		t.Fatalf("%v\n%s", err, strings.Join(verifier.Log[max(0, len(verifier.Log)-logLines):], "\n"))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}
