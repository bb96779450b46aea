package cli

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/suggest"
)

// noFunction is the code of the diagnostic that a package has no such function.
const noFunction = "W0803"

// suggestFunction adds the function that the user may have meant to an error about one
// that isn't there.
func suggestFunction(err error, dir, name string) error {
	var list compile.Diagnostics
	if !errors.As(err, &list) || len(list) != 1 || list[0].Code != noFunction {
		return err
	}
	if best := suggest.Closest(name, functions(dir)); best != "" {
		list[0].Hint = "did you mean " + best + "?"
	}
	return list
}

// functions lists the package's functions that are no methods.
func functions(dir string) (names []string) {
	for _, name := range sourceFiles(dir) {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}
