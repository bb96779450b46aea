package source

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/waggle-bpf/waggle"
	"github.com/waggle-bpf/waggle/internal/abi"
)

const counter = `package counter

import (
	"encoding/binary"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

var Requests = bpf.LRUHash[packet.Addr, uint64]{MaxEntries: 4096}

//bpf:xdp
func Count(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if !p.IsTCP() || !p.Payload.HasPrefix("GET ") || binary.BigEndian.Uint16(p.Payload) == 0 {
		return xdp.Pass
	}
	if n := Requests.Lookup(p.Src()); n != nil {
		bpf.AtomicAdd(n, 1)
	} else {
		Requests.Update(p.Src(), 1, bpf.NoExist)
	}
	return xdp.Pass
}
`

func counterConfig() Config {
	return Config{Files: map[string][]byte{"counter.go": []byte(counter)}}
}

func TestConcurrentLoads(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			pkg, err := Load(counterConfig())
			if err != nil {
				t.Error(err)
				return
			}
			if len(pkg.Programs) != 1 || pkg.Programs[0].Func.Blocks == nil {
				t.Error("the program is missing")
			}
			for fn := range pkg.Lowerings {
				if pkg.LoweringOf(pkg.SSA.Prog.FuncValue(fn)) == nil {
					t.Errorf("LoweringOf(%v) = nil", fn)
				}
			}
			payload := pkg.Programs[0].Func.Signature
			if pkg.IsPacket(payload.Results().At(0).Type()) {
				t.Error("a verdict is no packet")
			}
		})
	}
	wg.Wait()
}

func TestLines(t *testing.T) {
	pkg, err := Load(counterConfig())
	if err != nil {
		t.Fatal(err)
	}
	pos := pkg.Fset.Position(pkg.Programs[0].Func.Pos())
	if got, want := pkg.Lines(pos.Filename, pos.Line), "func Count(ctx *xdp.Context) xdp.Action {"; got != want {
		t.Errorf("%v: line %q, want %q", pos, got, want)
	}
	for fn := range pkg.Lowerings {
		pos := pkg.Fset.Position(fn.Pos())
		if line := pkg.Lines(pos.Filename, pos.Line); !strings.Contains(line, fn.Name()) {
			t.Errorf("%v: line %q is not where %s is declared", pos, line, fn.Name())
		}
	}
	if got := pkg.Lines("counter.go", 1000); got != "" {
		t.Errorf("line 1000 = %q", got)
	}
}

func TestOverlay(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/a.go", []byte("package m\n\nfunc F() int32 { return broken }\n"))
	writeFile(t, dir+"/b.go", []byte("package m\n\nfunc g() int32 { return 1 }\n"))
	files := map[string][]byte{"a.go": []byte("package m\n\nfunc F() int32 { return g() }\n")}
	if _, err := Load(Config{Dir: dir, Files: files, Roots: []string{"F"}}); err != nil {
		t.Error(err)
	}
	_, err := Load(Config{Dir: dir + "/a.go", Roots: []string{"F"}})
	if err == nil || !strings.HasPrefix(err.Error(), dir+"/a.go:3:25: undefined: broken") {
		t.Errorf("one file: %v", err)
	}
}

// TestPositionsAsGiven wants the directory in front of positions just as the
// user wrote it.
func TestPositionsAsGiven(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "m/m.go", []byte("package m\n\nfunc F() int32 { return x }\n"))
	writeFile(t, "n.go", []byte("package m\n\nfunc F() int32 { return x }\n"))
	for dir, want := range map[string]string{
		"m": "m/m.go:3:", "./m": "./m/m.go:3:", "m/": "m/m.go:3:", ".": "n.go:3:", "": "", "./n.go": "./n.go:3:", "n.go": "n.go:3:",
	} {
		if dir == "" {
			continue
		}
		_, err := Load(Config{Dir: dir})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Dir %q: %v, want %s", dir, err, want)
		}
	}
	if _, err := Load(Config{Dir: "none"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

// TestWholeLibrary loads every function of every embedded package, and wants
// every directive to be understood.
func TestWholeLibrary(t *testing.T) {
	for _, pkg := range libraryPackages(t) {
		files, err := defaultLibrary.files(pkg, "amd64", (&loader{cfg: Config{GOARCH: "amd64"}}).matches)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			for _, d := range f.decls {
				if d.fn != nil {
					checkLibraryDoc(t, pkg, d)
				}
			}
		}
	}
}

func checkLibraryDoc(t *testing.T, pkg string, d *decl) {
	for _, dir := range directives(d.fn.Doc) {
		if _, known := directiveRules[dir.word]; !known {
			t.Errorf("%s.%s: unknown directive %s", pkg, d.names[0], dir.word)
		}
		if dir.word == "helper" {
			name, _, _ := strings.Cut(dir.args, "(")
			if abi.HelperByName(name) == nil {
				t.Errorf("%s.%s: unknown helper %s", pkg, d.names[0], name)
			}
		}
	}
}

func libraryPackages(t *testing.T) []string {
	var list []string
	add := func(fsys fs.FS, root, prefix string) {
		err := fs.WalkDir(fsys, root, func(name string, e fs.DirEntry, err error) error {
			if err != nil || !e.IsDir() {
				return err
			}
			pkg := path.Join(prefix, strings.TrimPrefix(name, "std/"))
			if defaultLibrary.has(pkg) {
				list = append(list, pkg)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add(waggle.BPF, "bpf", ModulePath)
	add(stdFS, "std", "")
	if len(list) < 10 {
		t.Fatalf("only %d packages: %v", len(list), list)
	}
	return list
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load(counterConfig()); err != nil {
			b.Fatal(err)
		}
	}
}
