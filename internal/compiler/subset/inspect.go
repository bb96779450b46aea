package subset

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/waggle-bpf/waggle/internal/compiler/source"
)

// visitor looks at one node. Nodes below it are looked at too if it returns
// true; a rule that has reported a node returns false, so that one mistake is
// one diagnostic.
type visitor func(v *visit, n ast.Node) bool

// visit is a walk over the functions and variables of one package.
type visit struct {
	*analysis.Pass
	// stack holds the nodes around the current one, outermost first.
	stack []ast.Node
}

// analyzer makes an analyzer of a visitor.
func analyzer(name, doc string, f visitor) *analysis.Analyzer {
	return &analysis.Analyzer{
		Name: name,
		Doc:  doc,
		URL:  "https://pkg.go.dev/" + source.ModulePath + "/docs/subset.md",
		Run: func(pass *analysis.Pass) (any, error) {
			v := &visit{Pass: pass}
			for _, file := range pass.Files {
				for _, d := range file.Decls {
					v.decl(d, f)
				}
			}
			return nil, nil
		},
	}
}

// decl walks a function or variables; types count where they are used.
func (v *visit) decl(d ast.Decl, f visitor) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Body == nil {
			return // the library's, or refused elsewhere
		}
	case *ast.GenDecl:
		if d.Tok != token.VAR {
			return
		}
	}
	v.stack = v.stack[:0]
	ast.PreorderStack(d, nil, func(n ast.Node, stack []ast.Node) bool {
		v.stack = stack
		return f(v, n)
	})
}

// refuse reports a node under a code and returns false.
func (v *visit) refuse(n ast.Node, code, format string, args ...any) bool {
	v.Report(analysis.Diagnostic{
		Pos:      n.Pos(),
		End:      n.End(),
		Category: code,
		Message:  fmt.Sprintf(format, args...),
	})
	return false
}

// parent returns the node around the current one, parentheses left out; nil at
// the top.
func (v *visit) parent() ast.Node {
	for i := len(v.stack) - 1; i >= 0; i-- {
		if _, paren := v.stack[i].(*ast.ParenExpr); !paren {
			return v.stack[i]
		}
	}
	return nil
}

// value returns the type of n if it is an expression with a value that is not a
// constant, or the name of a new variable; else nil.
func (v *visit) value(n ast.Node) types.Type {
	e, ok := n.(ast.Expr)
	if !ok {
		return nil
	}
	if tv, ok := v.TypesInfo.Types[e]; ok {
		if !tv.IsValue() || tv.Value != nil {
			return nil
		}
		return tv.Type
	}
	if id, ok := e.(*ast.Ident); ok {
		if obj, ok := v.TypesInfo.Defs[id].(*types.Var); ok && !obj.IsField() {
			return obj.Type()
		}
	}
	return nil
}

// builtin returns the name of the built-in function that a call calls; "" if it
// is another function.
func (v *visit) builtin(call *ast.CallExpr) string {
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		if b, ok := v.TypesInfo.Uses[fun].(*types.Builtin); ok {
			return b.Name()
		}
	case *ast.SelectorExpr:
		if b, ok := v.TypesInfo.Uses[fun.Sel].(*types.Builtin); ok {
			return "unsafe." + b.Name()
		}
	}
	return ""
}

// conversion returns the types of a conversion; nil if call is a real call.
func (v *visit) conversion(call *ast.CallExpr) (from, to types.Type) {
	if tv := v.TypesInfo.Types[call.Fun]; !tv.IsType() || len(call.Args) != 1 {
		return nil, nil
	}
	return v.TypesInfo.TypeOf(call.Args[0]), v.TypesInfo.TypeOf(call)
}

// callee returns the function that a call names; nil if it calls a value.
func (v *visit) callee(call *ast.CallExpr) *types.Func {
	fun := ast.Unparen(call.Fun)
	switch x := fun.(type) {
	case *ast.IndexExpr:
		fun = x.X
	case *ast.IndexListExpr:
		fun = x.X
	}
	var id *ast.Ident
	switch x := ast.Unparen(fun).(type) {
	case *ast.Ident:
		id = x
	case *ast.SelectorExpr:
		id = x.Sel
	default:
		return nil
	}
	fn, _ := v.TypesInfo.Uses[id].(*types.Func)
	return fn
}

const bpfPath = source.ModulePath + "/bpf"

// isLibrary reports whether a package is waggle's own kernel library.
func isLibrary(pkg *types.Package) bool {
	return pkg != nil && (pkg.Path() == bpfPath || strings.HasPrefix(pkg.Path(), bpfPath+"/"))
}

// basicInfo returns what kind of basic type t is; 0 if it is none.
func basicInfo(t types.Type) types.BasicInfo {
	if t == nil {
		return 0
	}
	if _, param := types.Unalias(t).(*types.TypeParam); param {
		return 0
	}
	if b, ok := t.Underlying().(*types.Basic); ok {
		return b.Info()
	}
	return 0
}

func isString(t types.Type) bool { return basicInfo(t)&types.IsString != 0 }

// under returns t's underlying type; nil for a type parameter, whose arguments
// are looked at where they are given.
func under(t types.Type) types.Type {
	if t == nil {
		return nil
	}
	if _, param := types.Unalias(t).(*types.TypeParam); param {
		return nil
	}
	return t.Underlying()
}
