package cli

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"

	"github.com/waggle-bpf/waggle/compile"
)

// noFunction is the code of the diagnostic that a package has no such function.
const noFunction = "W0803"

// suggest adds the function that the user may have meant to an error about one
// that isn't there.
func suggest(err error, dir, name string) error {
	var list compile.Diagnostics
	if !errors.As(err, &list) || len(list) != 1 || list[0].Code != noFunction {
		return err
	}
	if best := closest(name, functions(dir)); best != "" {
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

// closest is the candidate that takes the fewest changes to become name, if they
// are few: one for each three letters, and one more.
func closest(name string, candidates []string) (best string) {
	least := len(name)/3 + 2
	for _, c := range candidates {
		if d := distance(name, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance counts the bytes to insert, delete or replace (Levenshtein), letter
// case counting nothing.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i]|0x20 != b[j]|0x20 {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, replace)
		}
	}
	return row[len(b)]
}
