package source

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

// decl is one declaration that pruning keeps or drops as a whole: a function, a
// method, a type, a variable, or a group of constants.
type decl struct {
	file  *file
	names []string // what it declares
	recv  string   // a method's receiver type
	uses  []string // every identifier it mentions
	quals []string // those with a selector behind: what a package's name can be
	fn    *ast.FuncDecl
	gen   *ast.GenDecl
	spec  ast.Spec // nil for a group of constants, which iota keeps together
}

// keys returns the names that can make the declaration matter.
func (d *decl) keys() []string {
	if d.recv != "" {
		return append(d.names, d.recv)
	}
	return d.names
}

// indexDecls lists the declarations of a file.
func indexDecls(f *file) []*decl {
	var list []*decl
	for _, node := range f.ast.Decls {
		switch node := node.(type) {
		case *ast.FuncDecl:
			list = append(list, indexFunc(node))
		case *ast.GenDecl:
			list = append(list, indexGen(node)...)
		}
	}
	for _, d := range list {
		d.file = f
	}
	return list
}

func indexFunc(fn *ast.FuncDecl) *decl {
	d := &decl{names: []string{fn.Name.Name}, fn: fn}
	u := newUses(fn.Doc)
	if fn.Recv != nil && len(fn.Recv.List) > 0 {
		d.recv = receiverName(fn.Recv.List[0].Type)
		u.add(fn.Recv)
	}
	u.add(fn.Type)
	if fn.Body != nil && !hasLowering(fn.Doc) {
		u.add(fn.Body)
	}
	d.uses, d.quals = u.list, u.quals
	return d
}

// receiverName returns the T of (t *T[P]).
func receiverName(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		default:
			return ""
		}
	}
}

func indexGen(gen *ast.GenDecl) []*decl {
	switch gen.Tok {
	case token.IMPORT:
		return nil
	case token.CONST:
		d := &decl{gen: gen}
		for _, s := range gen.Specs {
			d.names = append(d.names, identNames(s.(*ast.ValueSpec).Names)...)
		}
		u := newUses(gen.Doc)
		u.add(gen)
		d.uses, d.quals = u.list, u.quals
		return []*decl{d}
	}
	var list []*decl
	for _, s := range gen.Specs {
		list = append(list, indexSpec(gen, s))
	}
	return list
}

func indexSpec(gen *ast.GenDecl, s ast.Spec) *decl {
	d := &decl{gen: gen, spec: s}
	switch s := s.(type) {
	case *ast.TypeSpec:
		d.names = []string{s.Name.Name}
	case *ast.ValueSpec:
		d.names = identNames(s.Names)
	}
	u := newUses(gen.Doc)
	u.add(s)
	d.uses, d.quals = u.list, u.quals
	return d
}

func identNames(ids []*ast.Ident) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.Name
	}
	return names
}

// uses gathers identifiers, each once.
type uses struct {
	seen, qual map[string]bool
	list       []string
	quals      []string
}

// newUses starts with the types, constants and maps that the directives in doc
// name.
func newUses(doc *ast.CommentGroup) *uses {
	u := &uses{seen: make(map[string]bool), qual: make(map[string]bool)}
	for _, d := range directives(doc) {
		var exprs []string
		switch d.word {
		case "fault", "slot":
			exprs = []string{d.args}
		case "helper":
			exprs = sizeofArg.FindAllString(d.args, -1)
		}
		for _, x := range exprs {
			for _, word := range strings.FieldsFunc(x, notIdent) {
				u.name(word)
				u.qualifier(word)
			}
		}
	}
	return u
}

var sizeofArg = regexp.MustCompile(`sizeof\([^)]*`)

func notIdent(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r < 0x80
}

func (u *uses) name(name string) {
	if !u.seen[name] {
		u.seen[name] = true
		u.list = append(u.list, name)
	}
}

func (u *uses) qualifier(name string) {
	if !u.qual[name] {
		u.qual[name] = true
		u.quals = append(u.quals, name)
	}
}

func (u *uses) add(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			u.name(n.Name)
		case *ast.SelectorExpr:
			if id, ok := n.X.(*ast.Ident); ok {
				u.qualifier(id.Name)
			}
		}
		return true
	})
}
