package source

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// nameClosure is the first, coarse pruning, before type checking: a declaration
// of an imported package matters if something that matters mentions its name,
// whatever that name refers to. It keeps the larger part of the library, and
// every import that only the native half of a package uses, out of the type
// checker's way.
type nameClosure struct {
	mentioned map[string]bool
	kept      map[*decl]bool
	queue     []queued
	// reaching is set while everything kept is reachable from a root, and off
	// for what merely stands in the same package.
	reaching bool
}

type queued struct {
	unit *unit
	decl *decl
}

// closeNames loads the imports that may matter and finds the declarations in
// them that may.
func (l *loader) closeNames(*Package) error {
	c := &l.names
	c.mentioned = make(map[string]bool)
	c.kept = make(map[*decl]bool)
	c.reaching = true
	l.mention(l.cfg.Roots...)
	for _, f := range l.main.files {
		for _, d := range f.decls {
			if d.fn != nil && isProgram(d.fn.Doc) {
				l.keep(l.main, d)
			}
		}
	}
	l.drain()
	// The rest of the package is type-checked too, against the library, but
	// never makes another package of the user's be read.
	c.reaching = false
	for _, f := range l.main.files {
		for _, d := range f.decls {
			l.keep(l.main, d)
		}
	}
	l.drain()
	return nil
}

func (l *loader) drain() {
	for c := &l.names; len(c.queue) > 0; {
		q := c.queue[len(c.queue)-1]
		c.queue = c.queue[:len(c.queue)-1]
		for _, imp := range q.decl.file.imports {
			if imp.mayBeUsedBy(q.decl) {
				l.load(q.unit, imp.path)
			}
		}
		l.mention(q.decl.uses...)
	}
}

// mention keeps every declaration of a loaded package that has one of the names.
func (l *loader) mention(names ...string) {
	for _, name := range names {
		if l.names.mentioned[name] {
			continue
		}
		l.names.mentioned[name] = true
		l.keepNamed(l.main, name)
		for _, u := range l.units {
			l.keepNamed(u, name)
		}
	}
}

func (l *loader) keepNamed(u *unit, name string) {
	for _, d := range u.byName[name] {
		if d.recv == "" || l.names.mentioned[d.recv] && l.names.mentioned[d.names[0]] {
			l.keep(u, d)
		}
	}
}

func (l *loader) keep(u *unit, d *decl) {
	if !l.names.kept[d] {
		l.names.kept[d] = true
		l.names.queue = append(l.names.queue, queued{u, d})
	}
}

// errNotLooked is why a package of another module stays empty at first: to find
// it takes the go command, which is slow and may not be there, so the exact
// pruning decides whether that must be.
var errNotLooked = errors.New("not looked for")

// errHostOnly is why a standard package stays empty.
var errHostOnly = errors.New("only the native half of a package can use it")

// load reads an imported package unless it is there already or can't be had.
func (l *loader) load(from *unit, path string) {
	if l.units[path] != nil || l.fakes[path] != nil || path == "unsafe" {
		return
	}
	u, err := l.open(from, path)
	if err != nil {
		l.fakes[path] = err
		return
	}
	if u == nil { // only its neighbours want it
		return
	}
	l.units[path] = u
	for name := range u.byName {
		if l.names.mentioned[name] {
			l.keepNamed(u, name)
		}
	}
}

// open reads the syntax of an imported package.
func (l *loader) open(from *unit, path string) (*unit, error) {
	if l.lib.has(path) {
		files, err := l.lib.files(path, l.cfg.GOARCH, l.matches)
		if err != nil {
			return nil, err
		}
		u := newUnit(path, files)
		u.library, u.goVersion = true, libraryGoVersion
		return u, nil
	}
	if from.library || isStd(path) && l.mod.dirOf(path) == "" {
		return nil, errHostOnly
	}
	if !l.names.reaching {
		return nil, nil
	}
	return l.openFromDisk(path)
}

func (l *loader) openFromDisk(path string) (*unit, error) {
	goVersion := ""
	dir := l.mod.dirOf(path)
	if dir != "" {
		goVersion = l.mod.goVersion
	} else if !l.wanted[path] {
		return nil, errNotLooked
	} else {
		var err error
		if dir, err = l.mod.findDir(path); err != nil {
			return nil, err
		}
		if m, err := findModule(dir); err == nil {
			goVersion = m.goVersionOr("")
		}
	}
	sources, err := readDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read package %s: %w", path, err)
	}
	var admitted []source
	for _, s := range sources {
		if ok, _ := l.matches(filepath.Base(s.name), s.src); ok {
			admitted = append(admitted, source{l.displayName(s.name), s.src})
		}
	}
	files := l.parseSources(admitted)
	if len(files) == 0 {
		return nil, fmt.Errorf("read package %s: no Go files in %s", path, dir)
	}
	u := newUnit(path, files)
	u.goVersion = goVersion
	return u, nil
}

// displayName makes the absolute name of a neighbouring package's file look like
// those of the package itself.
func (l *loader) displayName(name string) string {
	if filepath.IsAbs(l.cfg.Dir) {
		return name
	}
	wd, err := filepath.Abs(".")
	if err != nil {
		return name
	}
	if rel, err := filepath.Rel(wd, name); err == nil && !strings.HasPrefix(rel, "../../..") {
		return rel
	}
	return name
}

// libraryGoVersion is the language version of the embedded packages.
const libraryGoVersion = "go1.26"

// isStd reports whether the path belongs to the standard library: its first
// element has no dot.
func isStd(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// mayBeUsedBy reports whether d could refer to the import: it mentions the
// import's name, or nobody knows that name before reading the package.
func (imp *importSpec) mayBeUsedBy(d *decl) bool {
	switch {
	case imp.name == "_":
		return false
	case imp.name == "." || imp.names == nil:
		return true
	}
	return d.qualifies(imp.names)
}

// qualifies reports whether one of the names has a selector behind it.
func (d *decl) qualifies(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(d.quals, name) })
}

var versionElem = regexp.MustCompile(`^v[0-9]+$`)

// likelyNames guesses the package's name from its path.
func (imp *importSpec) likelyNames() []string {
	if imp.name != "" {
		return []string{imp.name}
	}
	last := path.Base(imp.path)
	if versionElem.MatchString(last) {
		last = path.Base(path.Dir(imp.path))
	}
	return strings.FieldsFunc(last, func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}
