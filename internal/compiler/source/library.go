package source

import (
	"embed"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/waggle-bpf/waggle"
)

// ModulePath is the import path of this module; package bpf lies below it.
const ModulePath = "github.com/waggle-bpf/waggle"

const bpfPath = ModulePath + "/bpf"

//go:embed std
var stdFS embed.FS

// defaultLibrary is what the binary carries: package bpf, and the kernel-side
// twins of a few standard packages.
var defaultLibrary = newLibrary(waggle.BPF, stdFS)

// library finds and parses embedded packages. Each is parsed once in a process.
type library struct {
	bpf, std fs.FS // holding bpf/... and std/...
	// fset holds the library's files far above those of any package, so that
	// every load can add the ones it uses to its own.
	fset   *token.FileSet
	parsed sync.Map // key -> func() ([]*file, error)
}

const libraryBase = 1 << 30

// InLibrary reports whether a position lies in an embedded package.
func InLibrary(pos token.Pos) bool { return pos >= libraryBase }

func newLibrary(bpf, std fs.FS) *library {
	l := &library{bpf: bpf, std: std, fset: token.NewFileSet()}
	l.fset.AddFile("(library)", libraryBase, 0)
	return l
}

// locate returns where the package lies; ok is false if it is not embedded.
func (l *library) locate(pkg string) (fsys fs.FS, dir string, ok bool) {
	if rel, found := strings.CutPrefix(pkg, ModulePath+"/"); found {
		fsys, dir = l.bpf, rel
	} else {
		fsys, dir = l.std, "std/"+pkg
	}
	if pkg != bpfPath && strings.HasPrefix(pkg, ModulePath+"/") && !strings.HasPrefix(pkg, bpfPath+"/") {
		return nil, "", false
	}
	names, err := fs.Glob(fsys, dir+"/*.go") // math is but the parent of math/bits
	return fsys, dir, err == nil && len(names) > 0
}

// has reports whether the package is embedded.
func (l *library) has(pkg string) bool {
	_, _, ok := l.locate(pkg)
	return ok
}

// files parses an embedded package; match decides on build constraints and
// depends on nothing but arch.
func (l *library) files(pkg, arch string, match func(string, []byte) (bool, error)) ([]*file, error) {
	parse := sync.OnceValues(func() ([]*file, error) { return l.parse(pkg, match) })
	cached, _ := l.parsed.LoadOrStore(arch+" "+pkg, parse)
	return cached.(func() ([]*file, error))()
}

func (l *library) parse(pkg string, match func(string, []byte) (bool, error)) ([]*file, error) {
	fsys, dir, ok := l.locate(pkg)
	if !ok {
		panic("BUG: no embedded package " + pkg)
	}
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("read embedded package %s: %w", pkg, err)
	}
	var files []*file
	for _, e := range entries {
		if !isSourceName(e.Name()) || e.IsDir() {
			continue
		}
		src, err := fs.ReadFile(fsys, path.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read embedded package %s: %w", pkg, err)
		}
		if ok, err := match(e.Name(), src); !ok || err != nil {
			continue
		}
		f, err := parseFile(l.fset, source{pkg + "/" + e.Name(), src})
		if err != nil {
			return nil, err
		}
		for _, imp := range f.imports {
			imp.names = imp.likelyNames() // always right here
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, errors.New("no Go files in embedded package " + pkg)
	}
	return files, nil
}
