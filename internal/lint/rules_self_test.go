package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// The rules themselves can be wrong; these are things they must catch or let pass.

func TestComplain(t *testing.T) {
	for text, bad := range map[string]bool{
		"open object %s: %w":         false,
		"BTF of %s: %w":              false,
		"%w: x":                      false,
		"Open object":                true,
		"failed to open":             true,
		"error opening":              true,
		"no such map.":               true,
		"XDP program too long":       false,
		"MaxEntries of %s: not set":  false,
		"IPv6 header: %w":            false,
		"Cannot open the object: %w": true,
	} {
		if got := complain(text); (got != "") != bad {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

func TestUndocumented(t *testing.T) {
	const src = `package p
func F() {}
// G is.
func G() {}
type T struct{}
func (t *T) M() {}
func (t *T) Error() string { return "" }
type u struct{}
func (u) M() {}
// Group.
const ( A = 1; B = 2 )
var C = 1
`
	f, err := parser.ParseFile(token.NewFileSet(), "", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range f.Decls {
		got = append(got, undocumented(ast.Decl(d))...)
	}
	if want := []string{"F", "T", "M", "C"}; len(got) != len(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestArrowTable(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     bool
	}{
		{"cmd/waggle", "internal/cli", true},
		{"cmd/waggle", "load", false},
		{"httpwatch", "httpwatch/kern", true},
		{"httpwatch/kern", "load", false},
		{"httpwatch/kern", "bpf/tc", true},
		{"load", "compile", false},
		{"internal/compiler/pass", "internal/compiler/lower", false},
		{"bpf/xdp", "bpf/packet", true},
		{"bpf", "internal/abi", false},
		{"bpfx", "bpf", false},
	} {
		a := arrowOf(test.from)
		if got := a != nil && a.allows(test.to); got != test.want {
			t.Errorf("%s -> %s: got %t", test.from, test.to, got)
		}
	}
}
