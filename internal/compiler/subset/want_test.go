package subset

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

var (
	wantComment = regexp.MustCompile(`// want (.*)`)
	quotedText  = regexp.MustCompile("`[^`]*`|\"(?:[^\"\\\\]|\\\\.)*\"")
)

// TestWant checks the packages of one file in testdata. Every exported function
// is a root; a comment `// want "regexp"` stands on each line that is refused,
// and on no other.
func TestWant(t *testing.T) {
	names, err := filepath.Glob("testdata/*.go")
	if err != nil || len(names) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want := wants(t, src)
			for _, d := range complaints(t, string(src), exported(t, src)...) {
				line := d.Pos.Line
				if len(want[line]) > 0 && want[line][0].MatchString(d.Error()) {
					want[line] = want[line][1:]
					continue
				}
				t.Errorf("unexpected: %v", d)
			}
			for line, missing := range want {
				for _, re := range missing {
					t.Errorf("%s:%d: no complaint like %q", name, line, re)
				}
			}
		})
	}
}

// wants reads the comments, by line.
func wants(t *testing.T, src []byte) map[int][]*regexp.Regexp {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	res := make(map[int][]*regexp.Regexp)
	for _, group := range f.Comments {
		for _, c := range group.List {
			m := wantComment.FindStringSubmatch(c.Text)
			if m == nil {
				continue
			}
			for _, quoted := range quotedText.FindAllString(m[1], -1) {
				text, err := strconv.Unquote(quoted)
				if err != nil {
					t.Fatal(err)
				}
				line := fset.Position(c.Pos()).Line
				res[line] = append(res[line], regexp.MustCompile(text))
			}
		}
	}
	if len(res) == 0 && filepath.Base(t.Name()) != "accept.go" {
		t.Fatal("nothing wanted")
	}
	return res
}

// exported lists the functions to start from.
func exported(t *testing.T, src []byte) []string {
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.IsExported() {
			names = append(names, fn.Name.Name)
		}
	}
	return names
}

// TestUnreachedIsFree: the native half of a package may contain anything.
func TestUnreachedIsFree(t *testing.T) {
	src := `package p

import "fmt"

func F() int32 { return 1 }

func host(c chan int, fs ...func()) (err error) {
	defer func() { err = fmt.Errorf("%v", recover()) }()
	go fs[0]()
	m := map[string]float64{"a": 1}
	for range c {
		host(c, append(fs, func() { m["b"]++ })...)
	}
	return nil
}
`
	if list := complaints(t, src, "F"); len(list) > 0 {
		t.Error(list)
	}
}

func TestLibraryIsInSubset(t *testing.T) {
	for path, call := range map[string]string{
		"encoding/binary": "func F(b [8]byte) uint32 { return binary.BigEndian.Uint32(b[:]) + binary.NativeEndian.Uint32(b[:]) }",
		"math/bits":       "func F(a, b, c uint64) (uint64, uint64) { return bits.Div64(a, b, bits.Reverse64(c)) }",
		"slices":          "func F(a [4]int32) bool { slices.Sort(a[:]); slices.Reverse(a[:]); return slices.Contains(a[:], slices.Max(a[:])) }",
		"bytes":           "func F(a [4]byte) bool { x, y, ok := bytes.Cut(a[:], a[:1]); return ok || bytes.Compare(x, y) < 0 }",
		"cmp":             "func F(a, b int32) int { return cmp.Compare(a, b) + cmp.Or(1, 2) }",
		"sync/atomic":     "var n atomic.Uint64\n\nfunc F() uint64 { n.CompareAndSwap(1, 2); return n.Add(n.Load()) }",
		"math":            "func F(a int32) bool { return a == math.MaxInt32 }",
	} {
		src := fmt.Sprintf("package p\n\nimport %q\n\n%s\n", path, call)
		if list := complaints(t, src, "F"); len(list) > 0 {
			t.Errorf("%s: %v", path, list)
		}
	}
}
