package differential

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/waggle-bpf/waggle/compile"
)

// Subject is a Go package whose exported functions are compared. Methods and
// generic functions are compared through functions that call them.
type Subject struct {
	files map[string][]byte
	name  string
	funcs []*function
	words dictionary
	// Bound lets the kernel end loops.
	Bound compile.LoopBound
}

// function is one exported function of a subject.
type function struct {
	name    string
	params  []param
	results []string // types, as written
}

// param is a parameter and how its argument is stored.
type param struct {
	kind paramKind
	typ  string // of what is stored: the element of a slice or pointer
}

type paramKind uint8

const (
	byValue paramKind = iota
	bySlice
	byPointer
)

// dictionary holds the literals of a package's source: inputs made of them
// reach branches that random ones don't.
type dictionary struct {
	strings []string
	numbers []uint64
}

// NewSubject reads the Go files of a directory, tests excluded.
func NewSubject(dir fs.FS) (*Subject, error) {
	names, err := fs.Glob(dir, "*.go")
	if err != nil {
		return nil, fmt.Errorf("list sources: %w", err)
	}
	files := make(map[string][]byte)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if files[path.Base(name)], err = fs.ReadFile(dir, name); err != nil {
			return nil, fmt.Errorf("read source: %w", err)
		}
	}
	return parseSubject(files)
}

// parseSubject finds the functions and literals of a package.
func parseSubject(files map[string][]byte) (*Subject, error) {
	s := &Subject{files: files}
	fset := token.NewFileSet()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := parser.ParseFile(fset, name, files[name], parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parse subject: %w", err)
		}
		s.name = f.Name.Name
		text := func(n ast.Node) string {
			return string(files[name][fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset])
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && isCompared(fn) {
				s.funcs = append(s.funcs, newFunction(fn, text))
			}
		}
		s.words.collect(f)
	}
	return s, nil
}

// isCompared reports whether a function can be called by a wrapper.
func isCompared(fn *ast.FuncDecl) bool {
	return fn.Name.IsExported() && fn.Recv == nil && fn.Type.TypeParams == nil
}

func newFunction(fn *ast.FuncDecl, text func(ast.Node) string) *function {
	f := &function{name: fn.Name.Name}
	for _, field := range fn.Type.Params.List {
		for range max(1, len(field.Names)) {
			f.params = append(f.params, newParam(field.Type, text))
		}
	}
	if fn.Type.Results != nil {
		for _, field := range fn.Type.Results.List {
			for range max(1, len(field.Names)) {
				f.results = append(f.results, text(field.Type))
			}
		}
	}
	return f
}

func newParam(t ast.Expr, text func(ast.Node) string) param {
	switch t := t.(type) {
	case *ast.StarExpr:
		return param{byPointer, text(t.X)}
	case *ast.ArrayType:
		if t.Len == nil {
			return param{bySlice, text(t.Elt)}
		}
	}
	return param{byValue, text(t)}
}

// collect adds the literals of a file.
func (d *dictionary) collect(f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BasicLit:
			d.add(n)
		}
		return true
	})
}

func (d *dictionary) add(lit *ast.BasicLit) {
	switch lit.Kind {
	case token.STRING:
		if s, err := strconv.Unquote(lit.Value); err == nil && s != "" {
			d.strings = append(d.strings, s)
		}
	case token.INT:
		if n, err := strconv.ParseUint(lit.Value, 0, 64); err == nil {
			d.numbers = append(d.numbers, n)
		}
	case token.CHAR:
		if r, _, _, err := strconv.UnquoteChar(lit.Value[1:], '\''); err == nil {
			d.numbers = append(d.numbers, uint64(r))
		}
	}
}
