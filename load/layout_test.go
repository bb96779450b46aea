package load

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

type holes struct {
	A uint8
	B uint32
	_ [2]byte
	C uint16
	D bool
}

func TestShapeFindsHoles(t *testing.T) {
	s, err := shapeOf[holes]()
	if err != nil {
		t.Fatal(err)
	}
	want := []span{{1, 3}, {8, 2}, {13, 3}}
	if d := cmp.Diff(want, s.holes, cmp.AllowUnexported(span{})); d != "" {
		t.Errorf("holes (-want +got)\n%s", d)
	}
	b := make([]byte, unsafe.Sizeof(holes{}))
	for i := range b {
		b[i] = 0xff
	}
	s.clean(b)
	for i, v := range b {
		inHole := i >= 1 && i < 4 || i >= 8 && i < 10 || i >= 13
		if (v == 0) != inHole {
			t.Errorf("byte %d is %#x", i, v)
		}
	}
}

func TestShapeRefuses(t *testing.T) {
	check := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	_, err := shapeOf[string]()
	check("string is string, which has no fixed bytes", err)
	_, err = shapeOf[struct{ P *int }]()
	check(".P is *int (ptr)", err)
	_, err = shapeOf[[4]struct{ S []byte }]()
	check("[0].S is []uint8 (slice)", err)
	_, err = shapeOf[map[int]int]()
	check("map[int]int (map)", err)
	_, err = shapeOf[[100000]chan int]()
	check("chan int (chan)", err)
	if _, err := shapeOf[[1 << 20]uint64](); err != nil {
		t.Errorf("large array: %v", err)
	}
}

func TestShapeAgainstTypes(t *testing.T) {
	u8 := &btf.Int{Name: "__u8", Size: 1}
	u16 := &btf.Int{Name: "__u16", Size: 2}
	u32 := &btf.Typedef{Name: "__u32", Type: &btf.Int{Name: "unsigned int", Size: 4}}
	u64 := &btf.Int{Name: "__u64", Size: 8}
	at := func(off uint32, name string, t btf.Type) btf.Member {
		return btf.Member{Name: name, Type: t, Offset: btf.Bits(off * 8)}
	}
	flow := &btf.Struct{Name: "flow", Size: 16, Members: []btf.Member{
		at(0, "addr", u32), at(4, "port", u16), at(6, "proto", u8), at(8, "bytes", u64),
	}}
	inner := &btf.Struct{Name: "outer", Size: 24, Members: []btf.Member{
		at(0, "f", flow), at(16, "u", &btf.Union{Name: "u", Size: 8, Members: []btf.Member{at(0, "a", u64), at(0, "b", u32)}}),
	}}
	type good struct {
		Addr  uint32
		Port  uint16
		Proto uint8
		Bytes uint64
	}
	for _, tt := range []struct {
		name  string
		shape func() (*shape, error)
		typ   btf.Type
		want  string // in the error; empty: none
	}{
		{"same", shapeOf[good], flow, ""},
		{"bytes for integers", shapeOf[struct {
			Addr  [4]byte
			Port  [2]byte
			Proto [2]byte
			Bytes uint64
		}], flow, ""},
		{"other size", shapeOf[[3]uint64], flow, "[3]uint64 has 24 bytes, the kernel's has 16"},
		{"fields moved", shapeOf[struct {
			Bytes uint64
			Addr  uint32
			Port  uint16
			Proto uint8
		}], flow, `Bytes has 8 bytes at offset 0, the object's type has "addr", 4 bytes at offset 0`},
		{"field widened", shapeOf[struct {
			Addr  uint32
			Port  uint32
			Bytes uint64
		}], flow, `Port has 4 bytes at offset 4, the object's type has "port", 2 bytes at offset 4`},
		{"nested", shapeOf[struct {
			F good
			U uint64
		}], inner, ""},
		{"nested, union as words", shapeOf[struct {
			F good
			U [2]uint32
		}], inner, ""},
		{"array", shapeOf[[4]uint16], &btf.Array{Type: u16, Nelems: 4}, ""},
		{"array of others", shapeOf[[2]uint32], &btf.Array{Type: u16, Nelems: 4}, `[0] has 4 bytes at offset 0`},
		{"opaque bytes", shapeOf[struct {
			Kind uint8
			Name [7]byte
		}], &btf.Struct{Name: "event", Size: 8, Members: []btf.Member{at(0, "kind", u8), at(2, "name", &btf.Array{Type: u8, Nelems: 6})}}, ""},
		{"name moved", shapeOf[struct {
			Kind uint8
			Name [6]byte
			Last uint8
		}], &btf.Struct{Name: "event", Size: 8, Members: []btf.Member{at(0, "kind", u8), at(2, "name", &btf.Array{Type: u8, Nelems: 6})}},
			`Name has 6 bytes at offset 1, the object's type has "name", 6 bytes at offset 2`},
		{"no type", shapeOf[good], nil, ""},
		{"void", shapeOf[good], &btf.Void{}, ""},
	} {
		s, err := tt.shape()
		if err != nil {
			t.Fatal(err)
		}
		err = s.check(tt.typ)
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}
