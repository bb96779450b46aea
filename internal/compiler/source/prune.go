package source

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// reach is the second, exact pruning, after type checking: what the roots
// reach, by object.
type reach struct {
	l *loader
	// where finds the syntax of package-level objects and methods.
	where map[types.Object]site
	// methods lists methods by name, for calls through a constraint.
	methods map[string][]*types.Func
	done    map[types.Object]bool
	queue   []types.Object
	// vars lists the variables in the order they were reached.
	vars []*types.Var
}

// site is where an object is declared.
type site struct {
	unit *unit
	node ast.Node     // *ast.FuncDecl, *ast.ValueSpec, *ast.TypeSpec
	gen  *ast.GenDecl // around the spec
}

// prune finds what the programs and roots reach, drops the rest, and with it
// the complaints about the rest.
func (l *loader) prune(pkg *Package) error {
	l.checkComments(pkg)
	r := l.newReach()
	for _, fn := range l.findRoots(pkg) {
		r.visit(fn)
	}
	for _, v := range l.attachPoints() {
		r.visit(v)
	}
	for _, p := range pkg.Programs {
		for _, s := range p.slots {
			r.visit(s.array)
		}
	}
	r.drain()
	l.reached = r
	if len(l.missing) > 0 {
		return nil
	}
	l.reportTypeErrors()
	if len(l.diags) > 0 {
		return l.diags.Err()
	}
	l.readVars(pkg)
	l.fillSlots(pkg)
	l.checkInits()
	if err := l.readAttributes(pkg); err != nil {
		return err
	}
	for _, u := range l.checked {
		for i, f := range u.syntax {
			u.syntax[i] = r.pruneFile(f)
			l.info.FileVersions[u.syntax[i]] = l.info.FileVersions[f]
		}
	}
	l.foldMapFields()
	return nil
}

// attachPoints returns the package's maps of sockets: programs are attached to
// them, and need not mention them.
func (l *loader) attachPoints() (vars []*types.Var) {
	scope := l.main.types.Scope()
	for _, name := range scope.Names() {
		v, ok := scope.Lookup(name).(*types.Var)
		if !ok {
			continue
		}
		if kind, _ := mapType(v.Type()); kind != nil && (kind.Kind == abi.MapSockMap || kind.Kind == abi.MapSockHash) {
			vars = append(vars, v)
		}
	}
	return vars
}

func (l *loader) newReach() *reach {
	r := &reach{
		l:       l,
		where:   make(map[types.Object]site),
		methods: make(map[string][]*types.Func),
		done:    make(map[types.Object]bool),
	}
	for _, u := range l.checked {
		for _, f := range u.syntax {
			for _, d := range f.Decls {
				r.index(u, d)
			}
		}
	}
	return r
}

func (r *reach) index(u *unit, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		obj, ok := r.l.info.Defs[d.Name].(*types.Func)
		if !ok {
			return // broken, and reported
		}
		r.where[obj] = site{unit: u, node: d}
		if d.Recv != nil {
			r.methods[obj.Name()] = append(r.methods[obj.Name()], obj)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			for _, id := range specNames(s) {
				if obj := r.l.info.Defs[id]; obj != nil {
					r.where[obj] = site{u, s, d}
				}
			}
		}
	}
}

func specNames(s ast.Spec) []*ast.Ident {
	switch s := s.(type) {
	case *ast.ValueSpec:
		return s.Names
	case *ast.TypeSpec:
		return []*ast.Ident{s.Name}
	}
	return nil
}

func (r *reach) visit(obj types.Object) {
	switch o := obj.(type) {
	case *types.Func:
		obj = o.Origin()
		if recv := o.Signature().Recv(); recv != nil && types.IsInterface(recv.Type()) {
			for _, m := range r.methods[o.Name()] {
				r.visit(m)
			}
			return
		}
	case *types.Var:
		obj = o.Origin()
	}
	if _, ok := r.where[obj]; ok && !r.done[obj] {
		r.done[obj] = true
		r.queue = append(r.queue, obj)
	}
}

func (r *reach) drain() {
	for len(r.queue) > 0 {
		obj := r.queue[0]
		r.queue = r.queue[1:]
		s := r.where[obj]
		switch node := s.node.(type) {
		case *ast.FuncDecl:
			r.walk(s.unit, node)
		case *ast.TypeSpec:
			if !s.unit.library { // its native half may hold anything
				r.walk(s.unit, node)
			}
		case *ast.ValueSpec:
			r.visitValue(s.unit, node, obj)
		}
	}
}

// visitValue reaches what a variable's type and initial value mention. A call
// there is refused when the value is evaluated; what it calls doesn't matter.
func (r *reach) visitValue(u *unit, spec *ast.ValueSpec, obj types.Object) {
	v, ok := obj.(*types.Var)
	if !ok {
		return // a constant has been evaluated
	}
	r.vars = append(r.vars, v)
	if spec.Type != nil {
		r.walk(u, spec.Type)
	}
	for _, value := range spec.Values {
		r.walk(u, value)
	}
}

// walk visits everything that the code mentions, and complains about packages
// that stay empty.
func (r *reach) walk(u *unit, n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		obj := r.l.info.Uses[id]
		if name, ok := obj.(*types.PkgName); ok {
			r.checkImport(id, name)
		} else if obj != nil {
			r.visit(obj)
		}
		return true
	})
}

func (r *reach) checkImport(id *ast.Ident, name *types.PkgName) {
	path := name.Imported().Path()
	if r.l.units[path] != nil || path == "unsafe" {
		return
	}
	err := r.l.fakes[path]
	if err == errNotLooked {
		r.l.missing = append(r.l.missing, path)
		return
	}
	if err == nil || err == errHostOnly {
		r.l.refuse(id.Pos(), codeHostOnly, "package %s can't be used in kernel code", path)
		return
	}
	r.l.refuse(id.Pos(), codeNotFound, "package %s can't be loaded: %v", path, err)
}

// pruneFile returns a copy of f without the functions and variables that
// nothing reaches.
func (r *reach) pruneFile(f *ast.File) *ast.File {
	pruned := *f
	pruned.Decls = nil
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if r.done[r.l.info.Defs[d.Name]] {
				pruned.Decls = append(pruned.Decls, d)
			}
		case *ast.GenDecl:
			if d = r.pruneGen(d); len(d.Specs) > 0 {
				pruned.Decls = append(pruned.Decls, d)
			}
		}
	}
	return &pruned
}

func (r *reach) pruneGen(d *ast.GenDecl) *ast.GenDecl {
	if d.Tok != token.VAR {
		return d
	}
	g := *d
	g.Specs = nil
	for _, s := range d.Specs {
		for _, id := range specNames(s) {
			if r.done[r.l.info.Defs[id]] {
				g.Specs = append(g.Specs, s)
				break
			}
		}
	}
	return &g
}

// reportTypeErrors reports the complaints of go/types, but for those that come
// from imports left empty.
func (l *loader) reportTypeErrors() {
	for _, e := range l.typeErrs {
		if l.isImportError(e) || strings.HasPrefix(e.err.Msg, "\t") {
			continue // a tab continues the complaint before
		}
		reached, found := l.reached.covers(e)
		if found && !reached && (e.unit != l.main || l.importsOthers(e)) {
			continue
		}
		l.report(e)
	}
}

// covers tells whether a complaint is about a declaration of some object, and
// whether that is reached.
func (r *reach) covers(e typeError) (reached, found bool) {
	for obj, s := range r.where {
		if s.unit == e.unit && s.node.Pos() <= e.err.Pos && e.err.Pos <= s.node.End() {
			found = true
			reached = reached || r.done[obj]
		}
	}
	return reached, found
}

// importsOthers reports whether the file with the complaint imports a package
// that is empty or a part only.
func (l *loader) importsOthers(e typeError) bool {
	for _, f := range e.unit.files {
		if f.ast.FileStart > e.err.Pos || e.err.Pos > f.ast.FileEnd {
			continue
		}
		for _, imp := range f.imports {
			if u := l.units[imp.path]; u == nil && imp.path != "unsafe" || u != nil && isStd(imp.path) {
				return true
			}
		}
	}
	return false
}
