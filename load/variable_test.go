package load

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// value is struct value of testdata/maps.c.
type value struct {
	Packets uint64
	Last    uint32
	Name    [12]byte
}

func TestSet(t *testing.T) {
	for _, tt := range []struct {
		variable string
		value    any
		want     []byte // nil: an error
		err      string
	}{
		{"port", uint16(8080), []byte{0x90, 0x1f}, ""},
		{"port", 443, []byte{0xbb, 0x01}, ""},
		{"port", int64(65535), []byte{0xff, 0xff}, ""},
		{"port", 65536, nil, "value out of range for an unsigned integer of 2 bytes"},
		{"port", -1, nil, "value out of range for an unsigned integer of 2 bytes"},
		{"port", "80", nil, `"80" is no integer`},
		{"port", 1.5, nil, "float64 has 8 bytes, the kernel's has 2"},
		{"port", nil, nil, "no value"},
		{"port", [2]byte{1, 2}, []byte{1, 2}, ""},
		{"small", -128, []byte{0x80}, ""},
		{"small", 127, []byte{0x7f}, ""},
		{"small", 128, nil, "value out of range for a signed integer of 1 bytes"},
		{"small", uint64(math.MaxUint64), nil, "value out of range"},
		{"greeting", "hi", []byte("hi\x00\x00\x00\x00\x00\x00"), ""},
		{"greeting", "much too long", nil, "string of 13 bytes for an array of 8"},
		{"greeting", [8]byte{1}, []byte{1, 0, 0, 0, 0, 0, 0, 0}, ""},
		{"setting", value{Packets: 1, Last: 2, Name: [12]byte{'x'}}, append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 'x'}, make([]byte, 11)...), ""},
		{"setting", 5, nil, "an integer for a variable of 24 bytes"},
		{"setting", struct{ P *int }{}, nil, "which has no fixed bytes"},
		{"absent", 1, nil, "no such variable (it has counter, greeting, port, setting, small, zeroed)"},
	} {
		o := openObject(t, "maps.o")
		err := o.Set(tt.variable, tt.value)
		if tt.want == nil {
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.HasPrefix(err.Error(), "set variable "+tt.variable+" in testdata") {
				t.Errorf("%s = %v: error %v, want %q", tt.variable, tt.value, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s = %v: %v", tt.variable, tt.value, err)
			continue
		}
		if d := cmp.Diff(tt.want, o.spec.Variables[tt.variable].Value); d != "" {
			t.Errorf("%s = %v (-want +got)\n%s", tt.variable, tt.value, d)
		}
	}
}

func TestSetWithoutTypes(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  []byte
	}{
		{-1, []byte{0xff}}, {255, []byte{0xff}}, {256, nil}, {-129, nil}, {true, []byte{1}},
	} {
		got, err := encodeVariable(nil, 1, tt.value)
		if (err == nil) != (tt.want != nil) || !cmp.Equal(got, tt.want) {
			t.Errorf("%v: %v, %v; want %v", tt.value, got, err, tt.want)
		}
	}
}

func TestVariables(t *testing.T) {
	o := openObject(t, "maps.o")
	if err := o.Set("port", 8080); err != nil {
		t.Fatal(err)
	}
	if err := o.Set("counter", 100); err != nil {
		t.Fatal(err)
	}
	h := loadObject(t, o, Options{PinPath: pinDir(t)})
	if got := run(t, h, "main_prog", 3); got != 9080 {
		t.Errorf("main_prog returned %d, want what its tail call does, 9080", got)
	}
	counter, err := VariableOf[uint64](h, "counter")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := counter.Get(); n != 103 || err != nil {
		t.Errorf("counter %d, %v; want 103", n, err)
	}
	if err := counter.Set(7); err != nil {
		t.Fatal(err)
	}
	run(t, h, "main_prog", 1)
	if n, _ := counter.Get(); n != 8 {
		t.Errorf("counter %d, want 8", n)
	}
	zeroed, err := VariableOf[uint32](h, "zeroed")
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := zeroed.Get(); n != 'h'-1+2 {
		t.Errorf("zeroed %d, want %d", n, 'h'-1+2)
	}
	setting, err := VariableOf[value](h, "setting")
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := setting.Get(); v.Packets != 1 || v.Last != 2 || string(v.Name[:5]) != "three" {
		t.Errorf("setting %+v", v)
	}
	if err := setting.Set(value{}); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("write a constant: %v", err)
	}
	if _, err := VariableOf[uint16](h, "counter"); err == nil || !strings.Contains(err.Error(), "uint16 has 2 bytes, the kernel's has 8") {
		t.Errorf("wrong size: %v", err)
	}
	if _, err := VariableOf[uint16](h, "absent"); err == nil || !strings.Contains(err.Error(), "no such variable") {
		t.Errorf("absent variable: %v", err)
	}
}
