//go:build linux

package object

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/internal/abi"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
	"github.com/waggle-bpf/waggle/internal/faultinfo"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestDeterministic(t *testing.T) {
	first := demo(t).write()
	for range 5 {
		if !bytes.Equal(first, demo(t).write()) {
			t.Fatal("the same module gives different objects")
		}
	}
}

// TestReadelf checks that a strict reader finds nothing wrong.
func TestReadelf(t *testing.T) {
	testkit.RequireTool(t, "readelf")
	file := writeObject(t, demo(t).write())
	cmd := exec.Command("readelf", "--all", "--wide", "--string-dump="+faultinfo.Section, "--string-dump="+abi.ArchSection, file)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Errorf("%v\n%s", err, &errs)
	}
	for _, want := range []string{
		"REL (Relocatable file)", "Linux BPF", "2's complement, little endian",
		"tracepoint/sock/inet_sock_set_state PROGBITS",
		".bss              NOBITS",
		"probe.go:34:7: index out of range",
		"'.waggle.arch':\n  [     1]  amd64\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestFaultTable(t *testing.T) {
	f := demo(t)
	f.m.FaultSite(ir.FaultNil, 0)
	got, err := faultinfo.ReadELF(bytes.NewReader(f.write()))
	if err != nil {
		t.Fatal(err)
	}
	want := []faultinfo.Site{
		{File: "probe.go", Line: 34, Col: 7, Kind: "index out of range"},
		{Kind: "nil pointer dereference"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestNoFaultTable(t *testing.T) {
	f := demo(t)
	f.m.Faults = nil
	if got, err := faultinfo.ReadELF(bytes.NewReader(f.write())); got != nil || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestSmallModules writes modules that lack one thing or another.
func TestSmallModules(t *testing.T) {
	testkit.RequireRoot(t)
	tests := []struct {
		name string
		make func(*fixture)
	}{
		{"no maps", func(f *fixture) { f.prog("xdp", "", "Other", movImm(0, 2), exit) }},
		{"only maps", func(f *fixture) { f.mapOf("M", abi.MapHash, "uint32", "Event", 1) }},
		{"no positions", func(f *fixture) { f.prog("xdp", "", "Made", movImm(0, 2), exit) }},
		{"only a string", func(f *fixture) {
			f.prog("xdp", "", "Other", ldsym(1, f.str("abc"), 1), load(mach.SizeB, 0, 1, 0), exit)
		}},
		{"variable without size", func(f *fixture) {
			f.global("e", ir.Bss, "struct{}", nil)
			g := f.global("after", ir.Bss, "struct{}", nil)
			f.prog("xdp", "", "Other", ldsym(1, g, 0), movImm(0, 2), exit)
		}},
		{"empty string", func(f *fixture) {
			f.prog("xdp", "", "Other", ldsym(1, f.str(""), 0), movImm(0, 2), exit)
		}},
		{"unused subprogram", func(f *fixture) {
			f.prog("xdp", "", "Other", movImm(0, 2), exit)
			f.fn("inc", mov(0, 1), exit)
		}},
		{"no file set", func(f *fixture) {
			f.prog("xdp", "", "Count", pos(f.at("n :="), movImm(0, 2), exit)...)
			f.m.Fset = nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, demoSrc)
			tt.make(f)
			obj := f.write()
			loadCilium(t, obj)
			if len(f.code) > 0 { // libbpf refuses objects without programs
				loadLibbpf(t, obj)
			}
		})
	}
}

func TestEmptyModule(t *testing.T) {
	if _, err := Write(&ir.Module{Name: "p"}, nil, Options{}); err != nil {
		t.Error(err)
	}
}

func TestWriteErrors(t *testing.T) {
	tests := []struct {
		name, want string
		make       func(*fixture)
	}{
		{"call of a program", "write object: function inc: refers to Other, which is a program", func(f *fixture) {
			p := f.prog("xdp", "", "Other", movImm(0, 2), exit)
			f.fn("inc", call(p, 1), exit)
		}},
		{"two of a name", `write object: two symbols named "total"`, func(f *fixture) {
			f.global("total", ir.Data, "int", nil)
			f.mapOf("total", abi.MapHash, "uint32", "uint32", 1)
		}},
		{"two functions of a name", `write object: two symbols named "inc"`, func(f *fixture) {
			f.prog("xdp", "", "inc", movImm(0, 2), exit)
			f.fn("inc", movImm(0, 2), exit)
		}},
		{"huge variable", "write object: variable big: section .bss grows beyond", func(f *fixture) {
			f.global("big", ir.Bss, "[1<<30+1]byte", nil)
		}},
		{"address before a section", "address of total-8 is outside its section", func(f *fixture) {
			g := f.global("total", ir.Data, "int", nil)
			f.prog("xdp", "", "Other", ldsym(1, g, -8), exit)
		}},
	}
	for _, tt := range tests {
		f := newFixture(t, demoSrc)
		tt.make(f)
		_, err := Write(f.m, f.code, f.options())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestBugsPanic(t *testing.T) {
	tests := []struct {
		name string
		insn mach.Insn
	}{
		{"virtual register", movImm(mach.FirstVirtual, 0)},
		{"LEA", mach.Insn{Op: mach.LEA}},
		{"large immediate", movImm(0, 1<<32)},
		{"foreign map", ldsym(1, &ir.Map{Name: "M"}, 0)},
		{"foreign variable", ldsym(1, &ir.Global{Name: "g"}, 0)},
		{"foreign function", call(&ir.Func{Name: "f"}, 0)},
		{"odd symbol", ldsym(1, "text", 0)},
	}
	for _, tt := range tests {
		f := newFixture(t, demoSrc)
		f.prog("xdp", "", "Other", tt.insn, exit)
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "BUG: ") {
					t.Errorf("%s: recovered %v", tt.name, r)
				}
			}()
			Write(f.m, f.code, f.options())
		}()
	}
}

func TestFileName(t *testing.T) {
	tests := []struct{ dir, file, want string }{
		{"/src/probe", "/src/probe/probe.go", "probe.go"},
		{"/src/probe", "/src/probe/sub/x.go", "sub/x.go"},
		{"/src/probe", "/src/prober/x.go", "prober/x.go"},
		{"/src/probe", "/home/me/go/pkg/mod/waggle@v1/bpf/packet/packet.go", "packet/packet.go"},
		{"/src/probe", "/x.go", "x.go"},
		{"/src/probe", "probe.go", "probe.go"},
		{".", "./probe.go", "probe.go"},
		{"a/b", "a/b/probe.go", "probe.go"},
		{"", "/src/probe/probe.go", "probe/probe.go"},
		{"", "probe.go", "probe.go"},
	}
	for _, tt := range tests {
		l := lineSource{dir: tt.dir}
		if got := l.fileName(filepath.FromSlash(tt.file)); got != tt.want {
			t.Errorf("%s from %s: got %q, want %q", tt.file, tt.dir, got, tt.want)
		}
	}
}

// BenchmarkWrite writes a program of 10,000 instructions, each with a position
// of its own.
func BenchmarkWrite(b *testing.B) {
	src := "package probe\n" + strings.Repeat("var _ = 1\n", 1000) + "func Count(ctx *int) int32 { return 0 }\n"
	f := newFixture(b, src)
	var insns []mach.Insn
	for i := range 10_000 {
		insns = append(insns, pos(f.file.Pos(14+i), movImm(0, 2))...)
	}
	f.prog("xdp", "", "Count", append(insns, exit)...)
	opts := f.options()
	for b.Loop() {
		if _, err := Write(f.m, f.code, opts); err != nil {
			b.Fatal(err)
		}
	}
}
