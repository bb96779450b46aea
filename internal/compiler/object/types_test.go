//go:build linux

package object

import (
	"fmt"
	"go/types"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

const typesSrc = `package probe

import ("go/token"; "unsafe")

type Kind uint8
const (
	B Kind = 2
	A Kind = 1
	All = A | B
	plain = 7
)
type Signed int16
const Minus Signed = -1
type Wide uint64
const Big Wide = 1 << 40
type Bare uint32
type Flag bool
type Addr [16]byte
type Ptr *Pair[uint32, Addr]

type Pair[K comparable, V any] struct { Key K; Val V }
type Node struct { Next *Node; Kids [2]*Node; Up **Node }
type P *P
type L []L
type F func(F) F
type Ring [2]*Ring
type Ring2[T any] *Ring2[T]
type Ping *Pong
type Pong *Ping
type Table [2]Row
type Row struct { Back *Table; Self *Row; Me P; More *[3][2]Row }
type Handle *Object
type Object struct { H Handle; Next *Handle; Many [2]Handle }
type Padded struct { A uint8; _ [3]byte; B uint64; C bool; _ struct{} }
type Outer struct { Pair[uint8, uint16]; *Node; Inner struct { X, Y int32 } }
type Mixed struct {
	S string; L []byte; F func(); M map[int]int; C chan int; I any; E error
	D float64; Z complex128; U unsafe.Pointer; N uintptr; R rune
}
type Words struct { int; register uint8; größe uint16; π int64 }
type Empty struct{}
type Tail struct { N uint32; End [0]byte }
type Lock struct { val uint32 }
type Locked struct { Lock Lock; N uint64 }
type Huge struct { p *[1<<40]byte }
type Token token.Token
type Foreign struct { T token.Token; P token.Position }
type Alias = Pair[int8, *Padded]
`

// render prints a type with its children, two levels deep.
func render(b btf.Type, depth int) string {
	switch b := b.(type) {
	case *btf.Void:
		return "void"
	case *btf.Int:
		return b.Name
	case *btf.Pointer:
		return "*" + render(b.Target, depth)
	case *btf.Array:
		return fmt.Sprintf("[%d]%s", b.Nelems, render(b.Type, depth))
	case *btf.Typedef:
		if depth == 0 {
			return b.Name
		}
		return fmt.Sprintf("%s=%s", b.Name, render(b.Type, depth))
	case *btf.Enum:
		var vs []string
		for _, v := range b.Values {
			vs = append(vs, fmt.Sprintf("%s=%d", v.Name, int64(v.Value)))
		}
		return fmt.Sprintf("enum %s:%d{%s}", b.Name, b.Size, strings.Join(vs, " "))
	case *btf.Struct:
		if depth == 0 {
			return "struct " + b.Name
		}
		var ms []string
		for _, m := range b.Members {
			ms = append(ms, fmt.Sprintf("%s@%d %s", m.Name, m.Offset.Bytes(), render(m.Type, depth-1)))
		}
		return strings.TrimSpace(fmt.Sprintf("struct %s", b.Name)) + fmt.Sprintf(":%d{%s}", b.Size, strings.Join(ms, "; "))
	}
	return fmt.Sprintf("%T", b)
}

// lockName is what a //bpf:btf directive on type Lock would say.
func lockName(n *types.TypeName) string {
	if n.Name() == "Lock" {
		return "bpf_spin_lock"
	}
	return ""
}

func TestConvert(t *testing.T) {
	tests := []struct{ typ, want string }{
		{"bool", "_Bool"},
		{"int", "long long"},
		{"uint16", "unsigned short"},
		{"float32", "unsigned int"},
		{"string", "struct go_string:16{}"},
		{"[]int", "struct go_slice:24{}"},
		{"*int8", "*signed char"},
		{"[3][2]uint8", "[3][2]unsigned char"},
		{"struct{}", "struct:0{}"},
		{"struct{ X, _, Y int32 }", "struct:12{X@0 int; Y@8 int}"},
		{"Kind", "enum Kind:1{A=1 B=2 All=3}"},
		{"Signed", "enum Signed:2{Minus=-1}"},
		{"Wide", "Wide=unsigned long long"},
		{"Bare", "Bare=unsigned int"},
		{"Flag", "Flag=_Bool"},
		{"Addr", "Addr=[16]unsigned char"},
		{"Ptr", "Ptr=*struct Pair_uint32_Addr:20{Key@0 unsigned int; Val@4 Addr}"},
		{"Pair[uint64, [4]byte]", "struct Pair_uint64_4_byte:16{Key@0 unsigned long long; Val@8 [4]unsigned char}"},
		{"Alias", "struct Pair_int8_Padded:16{Key@0 signed char; Val@8 *struct Padded}"},
		{"Node", "struct Node:32{Next@0 *struct Node; Kids@8 [2]*struct Node; Up@24 **struct Node}"},
		{"P", "P=*void"},
		{"L", "L=struct go_slice:24{}"},
		{"F", "F=struct go_func:8{}"},
		{"Ring", "Ring=[2]*void"},
		{"Ring2[int8]", "Ring2_int8=*void"},
		{"Ping", "Ping=*Pong=*void"},
		{"Table", "Table=[2]struct Row:32{Back@0 *struct Row; Self@8 *struct Row; Me@16 P; More@24 *struct Row}"},
		{"Handle", "Handle=*struct Object:32{H@0 Handle; Next@8 *Handle; Many@16 [2]Handle}"},
		{"Padded", "struct Padded:24{A@0 unsigned char; B@8 unsigned long long; C@16 _Bool}"},
		{"Outer", "struct Outer:24{Pair@0 struct Pair_uint8_uint16; Node@8 *struct Node; Inner@16 struct }"},
		{"Mixed", "struct Mixed:144{S@0 struct go_string; L@16 struct go_slice; F@40 struct go_func; M@48 struct go_map; " +
			"C@56 struct go_chan; I@64 struct go_interface; E@80 error; D@96 unsigned long long; " +
			"Z@104 struct go_complex128; U@120 *void; N@128 unsigned long long; R@136 int}"},
		{"Words", "struct Words:24{int_@0 long long; register_@8 unsigned char; gru00f6u00dfe@10 unsigned short; u03c0@16 long long}"},
		{"Empty", "struct Empty:0{}"},
		{"Tail", "struct Tail:8{N@0 unsigned int; End@4 [0]unsigned char}"},
		{"Locked", "struct Locked:16{Lock@0 struct bpf_spin_lock; N@8 unsigned long long}"},
		{"Huge", "struct Huge:8{p@0 *void}"},
		{"Token", "Token=long long"},
		{"Foreign", "struct Foreign:48{T@0 token_Token; P@8 struct token_Position}"},
	}
	f := newFixture(t, typesSrc)
	var all []btf.Type
	c := newConverter(f.m.Name, nil, lockName)
	for _, tt := range tests {
		typ := f.typ(tt.typ)
		b := c.convert(typ)
		if got := render(b, 1); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.typ, got, tt.want)
		}
		if size, err := btf.Sizeof(b); err != nil || int64(size) != f.m.Sizes.Sizeof(typ) {
			t.Errorf("%s: size %d, %v; want %d", tt.typ, size, err, f.m.Sizes.Sizeof(typ))
		}
		if c.convert(f.typ(tt.typ)) != b {
			t.Errorf("%s: converted twice", tt.typ)
		}
		all = append(all, b)
	}
	checkKernelAccepts(t, all)
}

// checkKernelAccepts loads the types into the kernel, whose checks are the
// strictest.
func checkKernelAccepts(t *testing.T, all []btf.Type) {
	t.Helper()
	testkit.RequireRoot(t)
	b, err := btf.NewBuilder(all, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := btf.NewHandle(b)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	h.Close()
}

func TestContextTypes(t *testing.T) {
	tests := []struct{ path, name, want string }{
		{"github.com/waggle-bpf/waggle/bpf/xdp", "Context", "xdp_md"},
		{"github.com/waggle-bpf/waggle/bpf/sk", "MsgContext", "sk_msg_md"},
		{"github.com/waggle-bpf/waggle/bpf/xdp", "Action", ""},
		{"example.com/bpf/xdp", "Context", ""},
	}
	for _, tt := range tests {
		pkg := types.NewPackage(tt.path, "p")
		if got := contextType(types.NewTypeName(0, pkg, tt.name, nil)); got != tt.want {
			t.Errorf("%s.%s: got %q, want %q", tt.path, tt.name, got, tt.want)
		}
	}
}

func TestCIdent(t *testing.T) {
	tests := []struct{ in, want string }{
		{"Event", "Event"},
		{"Pair[K,V]", "Pair_K_V"},
		{"packet.Addr", "packet_Addr"},
		{"(*T).Method", "T_Method"},
		{"func1·2", "func1u00b72"},
		{"1st", "_1st"},
		{"[4]byte", "_4_byte"},
		{"int", "int_"},
		{"_", "_"},
		{"()", "_"},
	}
	for _, tt := range tests {
		if got := cIdent(tt.in); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.in, got, tt.want)
		}
	}
	long := strings.Repeat("x", 200)
	if got := cIdent(long); len(got) != maxName || got == cIdent(long+"y") {
		t.Errorf("a long name becomes %q, which must fit and be told from others", got)
	}
}

// FuzzCIdent checks that whatever comes in, a C identifier comes out.
func FuzzCIdent(f *testing.F) {
	f.Add("Pair[uint32,[4]byte]")
	f.Add("")
	f.Add("\xff1")
	f.Fuzz(func(t *testing.T, s string) {
		got := cIdent(s)
		if len(got) > maxName || cKeywords[got] {
			t.Fatalf("%q", got)
		}
		for i, r := range got {
			letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
			if !letter && (i == 0 || r < '0' || r > '9') {
				t.Fatalf("%q: %q", s, got)
			}
		}
	})
}

// TestLayoutInC checks Go's layout against clang's: the C declarations that
// bpftool makes of the BTF must give the same sizes and offsets.
func TestLayoutInC(t *testing.T) {
	f := newFixture(t, typesSrc)
	var asserts strings.Builder
	for _, name := range []string{"Node", "Padded", "Outer", "Mixed", "Words", "Locked", "Row", "Object", "Foreign", "Pair[uint64,[4]byte]"} {
		typ := f.typ(name)
		cname := "struct " + cIdent(name)
		f.global("v"+cIdent(name), ir.Bss, name, nil)
		s := typ.Underlying().(*types.Struct)
		var fields []*types.Var
		for i := range s.NumFields() {
			fields = append(fields, s.Field(i))
		}
		fmt.Fprintf(&asserts, "_Static_assert(sizeof(%s) == %d, \"\");\n", cname, f.m.Sizes.Sizeof(typ))
		for i, off := range f.m.Sizes.Offsetsof(fields) {
			if fields[i].Name() != "_" {
				fmt.Fprintf(&asserts, "_Static_assert(__builtin_offsetof(%s, %s) == %d, \"\");\n", cname, cIdent(fields[i].Name()), off)
			}
		}
	}
	dump := bpftool(t, "btf", "dump", "file", writeObject(t, f.write()), "format", "c")
	compileC(t, dump+asserts.String())
}
