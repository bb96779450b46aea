package corpus

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/waggle-bpf/waggle/compile"
)

// some returns the entries to compile once more: with -short, as on emulated
// machines, a few.
func some() []entry {
	if testing.Short() {
		return entries[:5]
	}
	return entries
}

// TestSameBytes: the same source gives the same object, although functions are
// compiled side by side.
func TestSameBytes(t *testing.T) {
	for _, e := range some() {
		first, err := compiled(e.dir)
		if err != nil {
			t.Fatal(err)
		}
		again, err := compile.Compile(t.Context(), compile.Config{Dir: e.dir})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.ELF, again.ELF) {
			t.Errorf("%s: compiling again gives another object", e.dir)
		}
	}
}

// TestOtherMachine: packages compile for the other architecture too.
func TestOtherMachine(t *testing.T) {
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	for _, e := range some() {
		if _, err := compile.Compile(t.Context(), compile.Config{Dir: e.dir, GOARCH: other}); err != nil {
			t.Errorf("%s: %v", other, err)
		}
	}
}
