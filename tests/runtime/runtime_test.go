package runtime

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// open compiles a kernel package and opens the object.
func open(t testing.TB, dir string) *load.Object {
	t.Helper()
	made, err := compile.Compile(context.Background(), compile.Config{Dir: dir, Check: true})
	if err != nil {
		t.Fatal(err)
	}
	obj, err := load.OpenBytes(dir, made.ELF)
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

// start loads an object until the test ends.
func start(t testing.TB, obj *load.Object, opts load.Options) *load.Handle {
	t.Helper()
	testkit.RequireRoot(t)
	h, err := obj.Load(opts)
	testkit.Need(t, err)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("close handle: %v", err)
		}
	})
	return h
}

// run runs a program once on a small packet.
func run(t testing.TB, h *load.Handle, program string) (verdict uint32) {
	t.Helper()
	p, err := h.Program(program)
	if err != nil {
		t.Fatal(err)
	}
	verdict, err = p.Run(&ebpf.RunOptions{Data: make([]byte, 64)})
	if err != nil {
		t.Fatal(err)
	}
	return verdict
}

func get[T any](t testing.TB, h *load.Handle, name string) T {
	t.Helper()
	v, err := load.VariableOf[T](h, name)
	if err != nil {
		t.Fatal(err)
	}
	value, err := v.Get()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func set[T any](t testing.TB, h *load.Handle, name string, value T) {
	t.Helper()
	v, err := load.VariableOf[T](h, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Set(value); err != nil {
		t.Fatal(err)
	}
}

func mapOf[K, V any](t testing.TB, h *load.Handle, name string) *load.Map[K, V] {
	t.Helper()
	m, err := load.MapOf[K, V](h, name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// lineOf finds the line of a function that ends in a comment.
func lineOf(t testing.TB, file, function, comment string) int {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for i, line := range strings.Split(string(src), "\n") {
		inside = inside && line != "}" || strings.HasPrefix(line, "func "+function+"(")
		if inside && strings.HasSuffix(line, "// "+comment) {
			return i + 1
		}
	}
	t.Fatalf("no %q in %s of %s", comment, function, file)
	return 0
}

// pinDir is a directory on the test's own BPF file system.
func pinDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/sys/fs/bpf", "runtime-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func base(p load.Pos) string { return filepath.Base(p.File) }
