package harness

import (
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/internal/cli/govalue"
)

const src = `package p

type Port uint16
type point struct{ X, Y int8; P Port }

func Div(a, b int) (int, int)             { return a / b, a % b }
func Hash(b [4]byte, seed uint32) uint64  { return 0 }
func Sum(b []byte, neg bool, c []byte) Port { return 0 }
func Move(p Port) (q point, ok bool)      { return }
func Nothing()                            {}
func Generic[T any](x T) T                { return x }
func Many(a ...byte)                      {}
func Ptr(p *int) int                      { return 0 }
func Text() string                        { return "" }
func Words([2]uint32)                     {}
`

// xdpSource stands for the package that the generated file imports.
const xdpSource = "package xdp\ntype Context struct{}\ntype Action uint32\nconst Pass Action = 2\n"

func TestNew(t *testing.T) {
	pkg := load(t, src)
	for _, test := range []struct {
		call   string // name and arguments
		data   string // Args in hexadecimal
		result string // Results in hexadecimal, what the program might leave
		values []string
	}{
		{"Div -7 3", "f9ffffffffffffff0300000000000000", "feffffffffffffff" + "ffffffffffffffff" + "0100000000000000", []string{"-2", "-1"}},
		{"Hash 01020304 0x10", "0102030410000000", "0500000000000000" + "0100000000000000", []string{"5"}},
		{"Sum 0a0b0c true 00", "0a0b0c0100", "5000000001000000", []string{"80"}},
		{"Sum 0x false 0x", "000000", "5000000001000000", []string{"80"}},
		{"Move 80", "5000", "ff02500001000000" + "01000000", []string{"{-1 2 80}", "true"}},
		{"Nothing", "", "01000000", nil},
	} {
		name, args, _ := strings.Cut(test.call, " ")
		h, err := newHarness(pkg, name, strings.Fields(args))
		if err != nil {
			t.Errorf("%s: %v", test.call, err)
			continue
		}
		if got := hex.EncodeToString(h.Data()); got != test.data {
			t.Errorf("%s: got data %s, want %s", test.call, got, test.data)
		}
		typeCheck(t, h)
		data, err := hex.DecodeString(test.result)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) != h.ResultSize() {
			t.Errorf("%s: got result size %d, want %d", test.call, h.ResultSize(), len(data))
		}
		got, returned, err := h.Values(data)
		if err != nil || !returned {
			t.Errorf("%s: got %t, %v", test.call, returned, err)
		}
		if diff := cmp.Diff(test.values, got, cmp.Transformer("empty", func(s []string) string { return strings.Join(s, "|") })); diff != "" {
			t.Errorf("%s: %s", test.call, diff)
		}
		if _, returned, err := h.Values(make([]byte, len(data))); returned || err != nil {
			t.Errorf("%s: got %t, %v without the mark", test.call, returned, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	pkg := load(t, src)
	for call, want := range map[string]string{
		"Div 1":        "call Div: 1 arguments given, Div(a int, b int) takes 2",
		"Nothing 1":    "call Nothing: 1 arguments given, Nothing() takes 0",
		"Div 1 x":      `call Div: argument 2 (b): "x" is not an integer`,
		"Move 65536":   "call Move: argument 1 (p): 65536 is out of the range of uint16",
		"Hash 0102 1":  `call Hash: argument 1 (b): "0102" is 2 bytes long, not 4`,
		"Generic 1":    "call Generic: it is generic; call it from a function that names the types",
		"Many 1":       "call Many: it is variadic",
		"Ptr 1":        "call Ptr: parameter 1 (p): type *int can't be written on a command line; only integers, bools, byte arrays and byte slices can",
		"Text":         "call Text: result 1: type string can't be printed; only integers, bools, arrays and structs can",
		"Words 010203": "call Words: parameter 1: type [2]uint32 can't be written on a command line; only integers, bools, byte arrays and byte slices can",
	} {
		fields := strings.Fields(call)
		if _, err := newHarness(pkg, fields[0], fields[1:]); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", call, err, want)
		}
	}
}

// TestImports names a type of another package.
func TestImports(t *testing.T) {
	p := types.NewPackage("p", "p")
	other := types.NewPackage("example.org/addr", "addr")
	named := types.NewNamed(types.NewTypeName(0, other, "Port", nil), types.Typ[types.Uint16], nil)
	sig := types.NewSignatureType(nil, nil, nil, types.NewTuple(types.NewParam(0, p, "p", named)), types.NewTuple(types.NewParam(0, p, "", named)), false)
	h, err := New("p", "F", sig, []string{"80"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`import waggleImport0 "example.org/addr"`, "F0 waggleImport0.Port", "waggleExecResults.F0 = F(waggleExecArgs.F0)"} {
		if !strings.Contains(string(h.Source()), want) {
			t.Errorf("no %q in\n%s", want, h.Source())
		}
	}
}

func newHarness(pkg *types.Package, name string, args []string) (*Harness, error) {
	return New(pkg.Name(), name, pkg.Scope().Lookup(name).Type().(*types.Signature), args)
}

// typeCheck adds the generated file to the package.
func typeCheck(t *testing.T, h *Harness) {
	t.Helper()
	load(t, src, string(h.Source()))
}

func load(t *testing.T, sources ...string) *types.Package {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, s := range sources {
		f, err := parser.ParseFile(fset, "", s, 0)
		if err != nil {
			t.Fatalf("%v in\n%s", err, s)
		}
		files = append(files, f)
	}
	cfg := types.Config{Sizes: govalue.Sizes, Importer: xdpImporter{}}
	pkg, err := cfg.Check("p", fset, files, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, strings.Join(sources, "\n"))
	}
	return pkg
}

type xdpImporter struct{}

func (xdpImporter) Import(path string) (*types.Package, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", xdpSource, 0)
	if err != nil {
		return nil, err
	}
	return new(types.Config).Check(path, fset, []*ast.File{f}, nil)
}
