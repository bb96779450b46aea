package compile

import (
	"errors"
	"go/token"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/pass"
)

// TestBug lets each kind of stage panic: what comes out is one line with the
// position of the function at hand.
func TestBug(t *testing.T) {
	src := `package p

import "github.com/waggle-bpf/waggle/bpf/xdp"

//bpf:xdp
func P(ctx *xdp.Context) xdp.Action { return xdp.Action(ctx.RxQueueIndex) }
`
	var none []int
	for _, broken := range []pass.Pass{
		{Name: "function", Func: func(*ir.Func) { _ = none[len(none)] }},
		{Name: "module", Module: func(*ir.Module) error { panic("BUG: two\nlines") }},
	} {
		for _, check := range []bool{false, true} {
			_, err := compileWith(t, broken, Config{Files: map[string][]byte{"p.go": []byte(src)}, Check: check})
			var bug *Bug
			if !errors.As(err, &bug) {
				t.Fatalf("%s: %v is no *Bug", broken.Name, err)
			}
			if broken.Func != nil && (bug.Pos != token.Position{Filename: "p.go", Line: 6, Column: 6, Offset: bug.Pos.Offset}) {
				t.Errorf("%s: at %v", broken.Name, bug.Pos)
			}
			if !strings.HasPrefix(bug.Where, "compile/bug_test.go:") {
				t.Errorf("%s: panicked at %s", broken.Name, bug.Where)
			}
			if text := bug.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "report") {
				t.Errorf("%s: says %q", broken.Name, text)
			}
		}
	}
}

// compileWith compiles with one more pass at the end.
func compileWith(t *testing.T, p pass.Pass, cfg Config) (*Object, error) {
	t.Helper()
	pipeline := pass.Pipeline
	defer func() { pass.Pipeline = pipeline }()
	pass.Pipeline = append(pipeline[:len(pipeline):len(pipeline)], p)
	return Compile(t.Context(), cfg)
}
