package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/txtar"
)

// loadArchive loads the files of a txtar archive, those without a directory
// being the package itself and the others its module.
func loadArchive(t *testing.T, archive string, roots ...string) (*Package, error) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Load(Config{Dir: dir, Roots: roots, Check: true})
}

func TestLoadPlain(t *testing.T) {
	pkg, err := loadArchive(t, `
-- m.go --
package m

import ("fmt"; "math/bits")

type T struct{ a, b int32 }

func (t *T) String() string { return fmt.Sprint(t.a) }
func (t *T) Sum() int32 { return add(t.a, t.b) }

func add[I int32 | int64](x, y I) I { return x + y }

var table = [4]int32{1, 2, 3}

func Sum(x int32) int32 {
	t := T{x, table[x&3]}
	return t.Sum() + bits.UintSize
}

func host() { var s fmt.Stringer = &T{}; fmt.Println(s.String()) }
`, "Sum")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	pkg.Roots[0].WriteTo(&b)
	for m := range pkg.SSA.Members {
		b.WriteString(m + "\n")
	}
	t.Log(b.String())
}

func TestLoadXDP(t *testing.T) {
	start := time.Now()
	pkg, err := loadArchive(t, `
-- go.mod --
module example.com/m
go 1.26
-- m.go --
package m

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Requests counts HTTP requests by client address.
var Requests = bpf.LRUHash[packet.Addr, uint64]{MaxEntries: 4096}

//bpf:xdp
func Count(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if !p.IsTCP() || !p.Payload.HasPrefix("GET ") {
		return xdp.Pass
	}
	if n := Requests.Lookup(p.Src()); n != nil {
		bpf.AtomicAdd(n, 1)
	} else {
		Requests.Update(p.Src(), 1, bpf.NoExist)
	}
	return xdp.Pass
}
`)
	t.Log(time.Since(start))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v %+v", pkg.Programs[0], pkg.Maps[0])
	for fn, l := range pkg.Lowerings {
		t.Logf("%v %+v", fn, l)
	}
	var b strings.Builder
	pkg.Programs[0].Func.WriteTo(&b)
	t.Log(b.String())
	for _, b := range pkg.Programs[0].Func.Blocks {
		for _, in := range b.Instrs {
			if c, ok := in.(*ssa.Call); ok {
				fn := c.Call.StaticCallee()
				t.Log(fn, len(fn.Blocks), fn.Origin(), fn.Object())
			}
		}
	}
	for _, p := range pkg.Imports {
		t.Log(p.Types.Path())
	}
}
