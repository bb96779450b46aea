package subset

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// TestExamplesInGenericFunctions wants what is refused in a function to be
// refused in an instance of a generic one, too.
func TestExamplesInGenericFunctions(t *testing.T) {
	for _, r := range rules {
		src := generic(t, r.Example)
		list := complaints(t, src)
		if len(list) == 0 {
			t.Errorf("%s %s: accepted:\n%s", r.Code, r.Title, src)
		}
		for _, d := range list {
			if d.Code != r.Code {
				t.Errorf("%s %s: got %v in\n%s", r.Code, r.Title, d, src)
			}
		}
	}
}

// generic gives each function of an example a type parameter. The program stays
// what it is, and calls a function that does its work.
func generic(t *testing.T, src string) string {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	type insertion struct {
		at   int
		text string
	}
	var list []insertion
	insert := func(pos token.Pos, text string) {
		list = append(list, insertion{fset.Position(pos).Offset, text})
	}
	names := make(map[string]*ast.Ident)
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || fn.Body == nil {
			continue
		}
		if fn.Name.Name == "Prog" {
			insert(fn.Body.Lbrace, "{ return prog[int8](ctx) }\n\nfunc prog[T any](ctx *xdp.Context) xdp.Action ")
			continue
		}
		names[fn.Name.Name] = fn.Name
		insert(fn.Name.End(), "[T any]")
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && names[id.Name] != nil && names[id.Name] != id {
			insert(id.End(), "[T]")
		}
		return true
	})
	slices.SortFunc(list, func(a, b insertion) int { return b.at - a.at })
	for _, i := range list {
		src = src[:i.at] + i.text + src[i.at:]
	}
	if !strings.Contains(src, "[T any]") {
		t.Fatalf("nothing is generic in\n%s", src)
	}
	return src
}
