package govalue

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// check type-checks the declarations of a package.
func check(t testing.TB, src string) *types.Package {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", "package p\n"+src, 0)
	if err != nil {
		t.Fatal(err)
	}
	cfg := types.Config{Importer: importer.Default(), Sizes: Sizes}
	pkg, err := cfg.Check("p", fset, []*ast.File{f}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// typeOf makes a type from Go syntax.
func typeOf(t testing.TB, syntax string) types.Type {
	t.Helper()
	const named = "type Port uint16; type Flag bool; type MAC [6]byte; type Small struct { A int8 }; type T = "
	return types.Unalias(check(t, named+syntax).Scope().Lookup("T").Type())
}

func TestRoundTrip(t *testing.T) {
	for _, test := range []struct{ typ, text, want string }{
		{"int", "-7", "-7"},
		{"int", "+7", "7"},
		{"int", "0", "0"},
		{"int", "-9223372036854775808", "-9223372036854775808"},
		{"int", "0x7fff_ffff_ffff_ffff", "9223372036854775807"},
		{"int8", "-128", "-128"},
		{"int8", "0b111", "7"},
		{"int8", "-0x80", "-128"},
		{"int16", "0o17", "15"},
		{"int16", "017", "15"},
		{"int32", "1_000_000", "1000000"},
		{"int64", "-1", "-1"},
		{"uint8", "255", "255"},
		{"uint16", "+0xffff", "65535"},
		{"uint32", "4294967295", "4294967295"},
		{"uint64", "18446744073709551615", "18446744073709551615"},
		{"uint64", "-0", "0"},
		{"uint", "3", "3"},
		{"uintptr", "3", "3"},
		{"bool", "true", "true"},
		{"bool", "false", "false"},
		{"byte", "7", "7"},
		{"rune", "-7", "-7"},
		{"Port", "80", "80"},
		{"Flag", "true", "true"},
		{"[3]byte", "010203", "[1 2 3]"},
		{"[2]uint8", "0xfFa0", "[255 160]"},
		{"[0]byte", "", "[]"},
		{"MAC", "02fc00000001", "[2 252 0 0 0 1]"},
	} {
		typ := typeOf(t, test.typ)
		data, err := Parse(typ, test.text)
		if err != nil {
			t.Errorf("%s %q: %v", test.typ, test.text, err)
			continue
		}
		if got, err := Format(typ, data); got != test.want || err != nil || !Writable(typ) {
			t.Errorf("%s %q: got %s, %v, want %s", test.typ, test.text, got, err, test.want)
		}
	}
}

func TestParseSlice(t *testing.T) {
	for text, want := range map[string]string{"": "", "00ff": "\x00\xff", "0x47": "G"} {
		if got, err := Parse(typeOf(t, "[]byte"), text); string(got) != want || err != nil {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ typ, text, want string }{
		{"int8", "128", "128 is out of the range of int8"},
		{"int8", "-129", "-129 is out of the range of int8"},
		{"int", "9223372036854775808", "9223372036854775808 is out of the range of int64"},
		{"uint8", "256", "256 is out of the range of uint8"},
		{"uint8", "-1", "-1 is out of the range of uint8"},
		{"uint64", "-99999999999999999999", "-99999999999999999999 is out of the range of uint64"},
		{"Port", "65536", "65536 is out of the range of uint16"},
		{"int", "", `"" is not an integer`},
		{"int", "seven", `"seven" is not an integer`},
		{"int", "1.5", `"1.5" is not an integer`},
		{"int", "1__0", `"1__0" is not an integer`},
		{"int", "--1", `"--1" is not an integer`},
		{"uint", "++1", `"++1" is not an integer`},
		{"uint", "+-1", `"+-1" is not an integer`},
		{"uint", "-", `"-" is not an integer`},
		{"bool", "1", `"1" is neither true nor false`},
		{"bool", "True", `"True" is neither true nor false`},
		{"[2]byte", "010203", `"010203" is 3 bytes long, not 2`},
		{"[2]byte", "012", `"012" has an odd number of hexadecimal digits`},
		{"[2]byte", "zz00", `"zz00" is not hexadecimal`},
		{"[2]uint16", "0102", "type [2]uint16 can't be written on a command line; only integers, bools, byte arrays and byte slices can"},
		{"Small", "1", "type p.Small can't be written on a command line; only integers, bools, byte arrays and byte slices can"},
		{"string", "x", "type string can't be written on a command line; only integers, bools, byte arrays and byte slices can"},
		{"*int", "1", "type *int can't be written on a command line; only integers, bools, byte arrays and byte slices can"},
		{"float64", "1", "type float64 can't be written on a command line; only integers, bools, byte arrays and byte slices can"},
	} {
		if got, err := Parse(typeOf(t, test.typ), test.text); err == nil || err.Error() != test.want {
			t.Errorf("%s %q: got %x, %v, want %s", test.typ, test.text, got, err, test.want)
		}
	}
}

func TestFormatRefuses(t *testing.T) {
	for _, typ := range []string{"string", "*int", "[]byte", "float64", "struct{ S string }", "[2]*int", "any", "func()"} {
		if got, err := Format(typeOf(t, typ), make([]byte, 64)); err == nil {
			t.Errorf("%s: got %s", typ, got)
		}
	}
	if got, err := Format(typeOf(t, "[4]int"), make([]byte, 31)); err == nil {
		t.Errorf("got %s from too little memory", got)
	}
}

type small struct {
	A int8
	B uint32
	C [2]bool
	D struct{ E, F int16 }
	G [2]struct{ H uint8 }
}

// TestFormatIsFmt compares with fmt, on random memory.
func TestFormatIsFmt(t *testing.T) {
	const syntax = "struct { A int8; B uint32; C [2]bool; D struct{ E, F int16 }; G [2]struct{ H uint8 } }"
	typ := typeOf(t, syntax)
	if got, want := Sizes.Sizeof(typ), int64(unsafe.Sizeof(small{})); got != want {
		t.Fatalf("got size %d, want %d", got, want)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		v := small{A: int8(r.Uint32()), B: r.Uint32(), C: [2]bool{r.IntN(2) == 0, r.IntN(2) == 0}}
		v.D.E, v.D.F, v.G[0].H, v.G[1].H = int16(r.Uint32()), int16(r.Uint32()), uint8(r.Uint32()), uint8(r.Uint32())
		data := unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v))
		if got, err := Format(typ, data); got != fmt.Sprint(v) || err != nil {
			t.Fatalf("got %s, %v, want %v", got, err, v)
		}
	}
}

// fuzzTypes are the types that fuzzed words are parsed as.
var fuzzTypes = map[string]reflect.Type{
	"int8": reflect.TypeFor[int8](), "int16": reflect.TypeFor[int16](), "int32": reflect.TypeFor[int32](), "int64": reflect.TypeFor[int64](),
	"uint8": reflect.TypeFor[uint8](), "uint16": reflect.TypeFor[uint16](), "uint32": reflect.TypeFor[uint32](), "uint64": reflect.TypeFor[uint64](),
}

// FuzzParse compares with go/constant, which evaluates the same word as Go source.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"-7", "+0x1f", "0b101", "1_000", "017", "0o17", "08", "--1", "1__0", "_1", "0x", "'a'", "1e3", "255", "-129", " 1", "0X_f"} {
		f.Add(s)
	}
	all := make(map[string]types.Type)
	for syntax := range fuzzTypes {
		all[syntax] = types.Universe.Lookup(syntax).Type()
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 100 {
			return // the oracle takes its time over long numbers
		}
		for syntax, typ := range all {
			data, err := Parse(typ, text)
			want, ok := evaluate(text, typ)
			if (err == nil) != ok {
				t.Fatalf("%s %q: got %v, but Go says %t", syntax, text, err, ok)
			}
			if err != nil {
				continue
			}
			if got, err := Format(typ, data); got != want || err != nil {
				t.Fatalf("%s %q: got %s, %v, want %s", syntax, text, got, err, want)
			}
		}
		for _, typ := range []types.Type{types.NewArray(types.Typ[types.Uint8], 4), types.NewSlice(types.Typ[types.Uint8]), types.Typ[types.Bool]} {
			_, _ = Parse(typ, text)
		}
	})
}

// evaluate is what Go makes of an optionally signed integer literal.
func evaluate(text string, typ types.Type) (string, bool) {
	digits := strings.TrimLeft(text, "+-")
	if len(text)-len(digits) > 1 || digits == "" {
		return "", false
	}
	c := constant.MakeFromLiteral(digits, token.INT, 0)
	if c.Kind() != constant.Int {
		return "", false
	}
	if strings.HasPrefix(text, "-") {
		c = constant.UnaryOp(token.SUB, c, 0)
	}
	b := typ.(*types.Basic)
	size := Sizes.Sizeof(b) * 8
	lo, hi := constant.MakeInt64(0), constant.Shift(constant.MakeInt64(1), token.SHL, uint(size))
	if b.Info()&types.IsUnsigned == 0 {
		hi = constant.Shift(constant.MakeInt64(1), token.SHL, uint(size-1))
		lo = constant.UnaryOp(token.SUB, hi, 0)
	}
	if constant.Compare(c, token.LSS, lo) || constant.Compare(c, token.GEQ, hi) {
		return "", false
	}
	return c.ExactString(), true
}
