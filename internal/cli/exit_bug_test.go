package cli

import (
	"bytes"
	"go/token"
	"testing"

	"github.com/waggle-bpf/waggle/internal/compiler/diag"
)

// TestCompilerBug: a mistake of the compiler is none in the input.
func TestCompilerBug(t *testing.T) {
	var stderr bytes.Buffer
	bug := &diag.Bug{Pos: token.Position{Filename: "p.go", Line: 3, Column: 1}, Cause: "BUG: x", Where: "lower/a.go:1"}
	if code := report(&stderr, bug); code != exitFailure {
		t.Errorf("exit code %d, want %d", code, exitFailure)
	}
	want := "p.go:3:1: internal compiler error: BUG: x (lower/a.go:1); please report it with the source at this place\n"
	if stderr.String() != want {
		t.Errorf("printed %q, want %q", stderr.String(), want)
	}
}
