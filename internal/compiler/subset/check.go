package subset

import (
	"fmt"
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"

	"github.com/waggle-bpf/waggle/internal/compiler/diag"
	"github.com/waggle-bpf/waggle/internal/compiler/source"
)

// Analyzers lists the rules that need syntax and types only.
func Analyzers() []*analysis.Analyzer {
	return []*analysis.Analyzer{
		Concurrency,
		Memory,
		Interfaces,
		Floats,
		Functions,
		Strings,
		Unsafe,
		Variables,
	}
}

// Check returns everything in the reached part of pkg that kernel Go may not
// contain, sorted; empty if all is well.
func Check(pkg *source.Package) diag.List {
	c := &checker{pkg: pkg, seen: make(map[diag.Diagnostic]bool)}
	c.analyze(pkg.Types, pkg.Files)
	for _, imp := range pkg.Imports {
		c.analyze(imp.Types, imp.Files)
	}
	if len(c.list) == 0 {
		c.wholeProgram()
	}
	c.list.Err() // sorts
	return c.list
}

// checker gathers what the rules report.
type checker struct {
	pkg  *source.Package
	list diag.List
	// seen holds line and code of each diagnostic: one a line is enough.
	seen map[diag.Diagnostic]bool
}

func (c *checker) analyze(pkg *types.Package, files []*ast.File) {
	for _, a := range Analyzers() {
		pass := &analysis.Pass{
			Analyzer:   a,
			Fset:       c.pkg.Fset,
			Files:      files,
			Pkg:        pkg,
			TypesInfo:  c.pkg.Info,
			TypesSizes: c.pkg.Sizes,
			Report:     c.report,
		}
		if _, err := a.Run(pass); err != nil {
			panic(fmt.Sprintf("BUG: analyzer %s: %v", a.Name, err))
		}
	}
}

func (c *checker) report(d analysis.Diagnostic) {
	pos := c.pkg.Fset.Position(d.Pos)
	key := diag.Diagnostic{Pos: pos, Code: d.Category}
	key.Pos.Column, key.Pos.Offset = 0, 0
	if c.seen[key] {
		return
	}
	c.seen[key] = true
	c.list.Add(pos, d.Category, Rules.WayOut(d.Category), "%s", d.Message)
}
