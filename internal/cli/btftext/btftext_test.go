package btftext

import (
	"encoding/json"
	"testing"

	"github.com/cilium/ebpf/btf"
)

var (
	u8      = &btf.Int{Name: "__u8", Size: 1}
	char    = &btf.Int{Name: "char", Size: 1, Encoding: btf.Char}
	s16     = &btf.Int{Name: "short", Size: 2, Encoding: btf.Signed}
	u32     = &btf.Int{Name: "__u32", Size: 4}
	boolean = &btf.Int{Name: "bool", Size: 1, Encoding: btf.Bool}
)

func array(t btf.Type, n uint32) *btf.Array { return &btf.Array{Index: u32, Type: t, Nelems: n} }

func TestDecode(t *testing.T) {
	enum := &btf.Enum{Name: "state", Size: 4, Signed: true, Values: []btf.EnumValue{{Name: "OPEN", Value: 1}, {Name: "BAD", Value: ^uint64(0)}}}
	point := &btf.Struct{Name: "point", Size: 4, Members: []btf.Member{{Name: "x", Type: s16}, {Name: "y", Type: s16, Offset: 16}}}
	bits := &btf.Struct{Name: "bits", Size: 4, Members: []btf.Member{
		{Name: "a", Type: u32, BitfieldSize: 3},
		{Name: "b", Type: u32, Offset: 3, BitfieldSize: 13},
		{Name: "c", Type: s16, Offset: 16, BitfieldSize: 4},
		{Name: "d", Type: boolean, Offset: 20, BitfieldSize: 1},
	}}
	union := &btf.Union{Name: "u", Size: 4, Members: []btf.Member{{Name: "n", Type: u32}, {Name: "p", Type: point}}}
	flags := &btf.Enum{Name: "TCPFlags", Size: 1, Values: []btf.EnumValue{{Name: "None"}, {Name: "FIN", Value: 1}, {Name: "SYN", Value: 2}, {Name: "ACK", Value: 16}}}
	method := &btf.Enum{Name: "Method", Size: 1, Values: []btf.EnumValue{{Name: "NoMethod"}, {Name: "GET", Value: 1}, {Name: "PUT", Value: 2}}}
	state := &btf.Enum{Name: "State", Size: 1, Values: []btf.EnumValue{{Name: "A", Value: 1}, {Name: "B", Value: 2}, {Name: "C", Value: 3}, {Name: "D", Value: 4}}}
	addr := &btf.Typedef{Name: "packet_Addr", Type: array(u8, 16)}
	be16 := &btf.Typedef{Name: "bpf_BE16", Type: &btf.Int{Name: "unsigned short", Size: 2}}
	flow := &btf.Struct{Name: "flow", Size: 18, Members: []btf.Member{{Name: "Src", Type: addr}, {Name: "Port", Type: be16, Offset: 128}}}
	in6 := &btf.Struct{Name: "in6_addr", Size: 16, Members: []btf.Member{{Name: "in6_u", Type: array(u8, 16)}}}
	for _, test := range []struct {
		typ        btf.Type
		data       string
		text, json string
	}{
		{flags, "\x12", "SYN|ACK", `"SYN|ACK"`},
		{flags, "\x02", "SYN", `"SYN"`},
		{flags, "\x00", "None", `"None"`},
		{flags, "\x06", "6", "6"},
		{method, "\x03", "3", "3"},
		{state, "\x06", "6", "6"},
		{flow, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x0a\x00\x00\x07\x00\x50", "{Src:10.0.0.7 Port:80}", `{"Src":"10.0.0.7","Port":80}`},
		{in6, "\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", "fd00::1", `"fd00::1"`},
		{&btf.Struct{Name: "in_addr", Size: 4, Members: []btf.Member{{Name: "s_addr", Type: u32}}}, "\x7f\x00\x00\x01", "127.0.0.1", `"127.0.0.1"`},
		{&btf.Typedef{Name: "packet_MAC", Type: array(u8, 6)}, "\x02\x00\x00\x00\x00\xfe", "02:00:00:00:00:fe", `"02:00:00:00:00:fe"`},
		{&btf.Typedef{Name: "seq_t", Type: &btf.Const{Type: &btf.Typedef{Name: "__be32", Type: u32}}}, "\x00\x01\x00\x00", "65536", "65536"},
		{&btf.Typedef{Name: "__be16", Type: u32}, "\x01\x00\x00\x00", "1", "1"},
		{u32, "\x01\x00\x00\x00", "1", "1"},
		{s16, "\xfe\xff", "-2", "-2"},
		{boolean, "\x01", "true", "true"},
		{&btf.Typedef{Name: "port", Type: &btf.Const{Type: s16}}, "\x50\x00", "80", "80"},
		{&btf.Pointer{Target: u8}, "\x10\x00\x00\x00\x00\x00\x00\x80", "0x8000000000000010", `"0x8000000000000010"`},
		{&btf.Float{Name: "double", Size: 8}, "\x00\x00\x00\x00\x00\x00\xf8\x3f", "1.5", "1.5"},
		{enum, "\x01\x00\x00\x00", "OPEN", `"OPEN"`},
		{enum, "\xff\xff\xff\xff", "BAD", `"BAD"`},
		{enum, "\xfe\xff\xff\xff", "-2", "-2"},
		{array(char, 6), "curl\x00\x00", `"curl"`, `"curl"`},
		{array(&btf.Int{Name: "char", Size: 1, Encoding: btf.Signed}, 2), "a\x00", `"a"`, `"a"`},
		{array(&btf.Int{Name: "int8", Size: 1, Encoding: btf.Signed}, 2), "a\xff", "[97 -1]", "[97,-1]"},
		{array(u8, 4), "GET ", `"GET "`, `"GET "`},
		{array(u8, 4), "\x0a\x00\x00\x07", "0a000007", `"0a000007"`},
		{array(u8, 4), "\x00\x00\x00\x00", "00000000", `"00000000"`},
		{array(s16, 2), "\x01\x00\xff\xff", "[1 -1]", "[1,-1]"},
		{array(u32, 0), "", "[]", "[]"},
		{point, "\x01\x00\xff\xff", "{x:1 y:-1}", `{"x":1,"y":-1}`},
		{array(point, 2), "\x01\x00\x02\x00\x03\x00\x04\x00", "[{x:1 y:2} {x:3 y:4}]", `[{"x":1,"y":2},{"x":3,"y":4}]`},
		{bits, "\x0d\x00\x1f\x00", "{a:5 b:1 c:-1 d:true}", `{"a":5,"b":1,"c":-1,"d":true}`},
		{union, "\x01\x00\x02\x00", "{n:131073 p:{x:1 y:2}}", `{"n":131073,"p":{"x":1,"y":2}}`},
		{point, "\x01\x00", "0100", `"0100"`},
		{&btf.Void{}, "", "", `""`},
	} {
		v := Decode(test.typ, []byte(test.data))
		js, err := json.Marshal(v)
		if Text(v) != test.text || string(js) != test.json || err != nil {
			t.Errorf("%v of %q: got %s and %s, %v, want %s and %s", test.typ, test.data, Text(v), js, err, test.text, test.json)
		}
	}
}

func TestGuess(t *testing.T) {
	event := func(name string, size uint32) *btf.Struct { return &btf.Struct{Name: name, Size: size} }
	for _, test := range []struct {
		types      []btf.Type
		n, padding int
		want       string
	}{
		{[]btf.Type{event("event", 16), event("config", 16)}, 16, 0, "event"},
		{[]btf.Type{event("conn_event_t", 16), event("other_event", 24)}, 16, 0, "conn_event_t"},
		{[]btf.Type{event("Event", 13)}, 16, 7, "Event"},
		{[]btf.Type{event("Event", 13)}, 16, 0, ""},
		{[]btf.Type{event("a_event", 16), event("b_event", 16)}, 16, 0, ""},
		{[]btf.Type{event("config", 16)}, 16, 0, ""},
	} {
		b, err := btf.NewBuilder(test.types, nil)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := b.Spec()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if g := Guess(spec, test.n, test.padding); g != nil {
			got = g.TypeName()
		}
		if got != test.want {
			t.Errorf("%v: got %q, want %q", test.types, got, test.want)
		}
	}
	if Guess(nil, 16, 0) != nil {
		t.Error("found a type where there are none")
	}
}

// TestRecord finds the type of a buffer's records, whose constants have Go's names, be
// they the object's own, another package's, or like neither.
func TestRecord(t *testing.T) {
	protocol := &btf.Enum{Name: "packet_Proto", Size: 1, Values: []btf.EnumValue{
		{Name: "packet_ProtoTCP", Value: 6}, {Name: "packet_ProtoUDP", Value: 17}, {Name: "other_Proto", Value: 18},
	}}
	own := &btf.Enum{Name: "My_State", Size: 1, Values: []btf.EnumValue{{Name: "My_Open", Value: 1}}}
	event := &btf.Struct{Name: "event", Size: 4, Members: []btf.Member{
		{Name: "P", Type: array(&btf.Typedef{Name: "x", Type: protocol}, 3)}, {Name: "S", Type: own, Offset: 24},
	}}
	b, err := btf.NewBuilder([]btf.Type{&btf.Typedef{Name: "waggle_record_Events", Type: event}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := b.Spec()
	if err != nil {
		t.Fatal(err)
	}
	const want = "{P:[packet.ProtoUDP packet.ProtoTCP other_Proto] S:My_Open}"
	if got := Text(Decode(Record(spec, "Events"), []byte{17, 6, 18, 1})); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if Record(spec, "Others") != nil || Record(nil, "Events") != nil {
		t.Error("found a type where there is none")
	}
}

// FuzzDecode gives every type more or less memory than it needs.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("curl\x00\x00\x01\x02\x03"))
	f.Add([]byte{})
	inner := &btf.Struct{Name: "in", Size: 8, Members: []btf.Member{
		{Name: "bits", Type: u32, Offset: 60, BitfieldSize: 8},
		{Name: "name", Type: array(char, 6)},
		{Name: "far", Type: u32, Offset: 1000},
	}}
	types := []btf.Type{&btf.Typedef{Name: "__be32", Type: u32}, &btf.Typedef{Name: "packet_MAC", Type: array(u8, 6)}, u32, s16, array(char, 9), array(inner, 2), inner, &btf.Pointer{Target: inner}, &btf.Int{Name: "big", Size: 16}}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, typ := range types {
			v := Decode(typ, data)
			_ = Text(v)
			if _, err := json.Marshal(v); err != nil {
				t.Fatalf("%v of %q: %v", typ, data, err)
			}
		}
	})
}
