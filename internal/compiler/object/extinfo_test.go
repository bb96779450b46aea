package object

import (
	"encoding/binary"
	"fmt"
	"go/token"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// stringAt reads a string of a blob's table.
func (b *btfBlob) stringAt(off uint32) string {
	s, _, _ := strings.Cut(string(b.data[b.strings+int(off):]), "\x00")
	return s
}

// emptyBlob is a BTF section with no types and the empty string.
func emptyBlob() *btfBlob {
	data := make([]byte, 25)
	binary.LittleEndian.PutUint32(data[btfStrLenField:], 1)
	return newBTFBlob(data)
}

func TestBlobStrings(t *testing.T) {
	b := emptyBlob()
	one, two := b.add("one"), b.add("two")
	if b.add("") != 0 || b.add("one") != one || b.stringAt(one) != "one" || b.stringAt(two) != "two" {
		t.Errorf("table is %q", b.data[b.strings:])
	}
	if again := newBTFBlob(b.data); again.add("two") != two {
		t.Error("strings are not found in an encoded table")
	}
	if n := binary.LittleEndian.Uint32(b.data[btfStrLenField:]); int(n) != len("\x00one\x00two\x00") {
		t.Errorf("length field is %d", n)
	}
}

func TestLineRecords(t *testing.T) {
	f := newFixture(t, "package probe\nfunc F() {\n\tx()\n\ty(); z()\n}\nfunc x() {}\nfunc y() {}\nfunc z() {}\n"+strings.Repeat(" ", 1100)+"var far int\n")
	x, y, z, far := f.at("x()"), f.at("y()"), f.at("z()"), f.at("far")
	nop := movImm(0, 0)
	wide := mach.Insn{Op: mach.LDIMM64}
	tests := []struct {
		name  string
		off   int64
		fn    token.Pos
		insns []mach.Insn
		want  []string
	}{
		{"one position", 0, 0, pos(x, nop, nop, exit), []string{"0 probe.go:3:2 x()"}},
		{"changes", 0, 0, concat(pos(x, nop), pos(y, nop), pos(x, exit)), []string{"0 probe.go:3:2 x()", "8 probe.go:4:2 y(); z()", "16 probe.go:3:2 x()"}},
		{"columns count", 0, 0, concat(pos(y, nop), pos(z, exit)), []string{"0 probe.go:4:2 y(); z()", "8 probe.go:4:7 y(); z()"}},
		{"ldimm64 is wide", 16, 0, concat(pos(x, wide), pos(y, exit)), []string{"16 probe.go:3:2 x()", "32 probe.go:4:2 y(); z()"}},
		{"unknown goes on", 0, 0, concat(pos(x, nop), pos(0, nop), pos(x, exit)), []string{"0 probe.go:3:2 x()"}},
		{"first is the function's", 0, x, concat(pos(0, nop), pos(x, nop), pos(y, exit)), []string{"0 probe.go:3:2 x()", "16 probe.go:4:2 y(); z()"}},
		{"nothing known", 8, 0, pos(0, nop, exit), []string{"8 <generated>:0:0 "}},
		{"unknown, then known", 0, 0, concat(pos(0, nop), pos(y, exit)), []string{"0 <generated>:0:0 ", "8 probe.go:4:2 y(); z()"}},
		{"far right", 0, 0, pos(far, exit), []string{"0 probe.go:9:0 var far int"}},
	}
	for _, tt := range tests {
		fn := f.fn("F", tt.insns...)
		fn.Pos = tt.fn
		w := newWriter(f.m, f.options())
		blob := emptyBlob()
		var got []string
		for _, r := range w.lineRecords(blob, &placedFunc{Code: &mach.Code{Func: fn, Insns: tt.insns}, off: tt.off}) {
			got = append(got, fmt.Sprintf("%d %s:%d:%d %s", r[0], blob.stringAt(r[1]), r[3]>>10, r[3]&0x3ff, blob.stringAt(r[2])))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.name, d)
		}
	}
}

func TestInfoTable(t *testing.T) {
	var table infoTable[coreRecord]
	table.add(7, nil)
	if got := table.encode(); got != nil {
		t.Errorf("a table without records is %x", got)
	}
	table.add(9, []coreRecord{{8, 1, 2, 3}})
	want := mustAppend(nil, []uint32{16, 9, 1, 8, 1, 2, 3})
	if d := cmp.Diff(want, table.encode()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	ext := encodeExt([]byte("ffff"), []byte("llllllll"), []byte("cccc"))
	header := []uint32{btfVersion<<16 | btfMagic, 32, 0, 4, 4, 8, 12, 4}
	if d := cmp.Diff(mustAppend(nil, header), ext[:extHeaderSize]); d != "" || string(ext[extHeaderSize:]) != "ffffllllllllcccc" {
		t.Errorf("%q (-want +got)\n%s", ext, d)
	}
}
