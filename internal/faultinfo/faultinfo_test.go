package faultinfo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoundTrip(t *testing.T) {
	tests := [][]Site{
		{},
		{{File: "probe.go", Line: 42, Col: 9, Kind: "index out of range"}},
		{
			{File: `C:\a: b.go`, Line: 1, Col: 0, Kind: "panic"},
			{File: "", Line: 0, Col: 0, Kind: ""},
			{File: "packet/packet.go", Line: 1 << 20, Col: 300, Kind: "integer divide by zero"},
		},
	}
	for _, want := range tests {
		data, err := Append(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Read(data)
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: (-want +got)\n%s", data, d)
		}
	}
}

func TestFormatIsStable(t *testing.T) {
	got, err := Append(nil, []Site{{"probe.go", 42, 9, "index out of range"}})
	if err != nil {
		t.Fatal(err)
	}
	const want = "\x00waggle faults 1\x00probe.go:42:9: index out of range\x00"
	if string(got) != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestReadRefuses(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"empty", "", "not a string table"},
		{"no leading NUL", "waggle faults 1\x00", "not a string table"},
		{"no trailing NUL", "\x00waggle faults 1", "not a string table"},
		{"other table", "\x00.text\x00", "no header"},
		{"only NULs", "\x00\x00", "no header"},
		{"newer version", "\x00waggle faults 2\x00", `version "2" is not known`},
		{"no kind", "\x00waggle faults 1\x00a.go:1:2\x00", "site 0: no kind"},
		{"no column", "\x00waggle faults 1\x001: panic\x00", "site 0: no position"},
		{"bad line", "\x00waggle faults 1\x00a.go:1:2: panic\x00a.go:x:2: panic\x00", `site 1: malformed number "x"`},
		{"negative", "\x00waggle faults 1\x00a.go:1:-2: panic\x00", `malformed number "-2"`},
		{"empty site", "\x00waggle faults 1\x00\x00", "site 0: no kind"},
	}
	for _, tt := range tests {
		_, err := Read([]byte(tt.data))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	for _, s := range []Site{
		{File: "a\x00b.go"},
		{File: "a.go", Kind: "p\x00"},
		{File: "a.go", Kind: "x: y"},
		{File: "a.go", Line: -1},
	} {
		if _, err := Append(nil, []Site{s}); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
}

func TestReadELFRefusesGarbage(t *testing.T) {
	if _, err := ReadELF(strings.NewReader("not an object")); err == nil {
		t.Error("no error")
	}
}

// FuzzRead checks that the reader survives anything and accepts only what the
// writer writes.
func FuzzRead(f *testing.F) {
	f.Add([]byte("\x00waggle faults 1\x00probe.go:42:9: index out of range\x00"))
	f.Add([]byte("\x00waggle faults 1\x00"))
	f.Add([]byte("\x00waggle faults 2\x00:0:0: \x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sites, err := Read(data)
		if err != nil {
			return
		}
		again, err := Append(nil, sites)
		if err != nil {
			t.Fatalf("read %q but can't write: %v", data, err)
		}
		if !bytes.Equal(data, again) {
			t.Fatalf("read %q, wrote %q", data, again)
		}
	})
}
