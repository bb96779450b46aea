package load

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/google/go-cmp/cmp"
)

func TestOpenDescribes(t *testing.T) {
	o := openObject(t, "maps.o")
	want := []Program{
		// As clang lays them out: what the map next refers to first.
		{Name: "tail", Section: "tc", Kind: "tc", Type: ebpf.SchedCLS, License: "Dual MIT/GPL"},
		{Name: "main_prog", Section: "tc", Kind: "tc", Type: ebpf.SchedCLS, License: "Dual MIT/GPL"},
		{Name: "fault", Section: "tc", Kind: "tc", Type: ebpf.SchedCLS, License: "Dual MIT/GPL"},
	}
	got := o.Programs()
	for i := range got {
		if got[i].Instructions == 0 {
			t.Errorf("%s: no instructions", got[i].Name)
		}
		got[i].Instructions = 0
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("programs (-want +got)\n%s", d)
	}
	var names []string
	byName := map[string]MapInfo{}
	for _, m := range o.Maps() {
		names = append(names, m.Name)
		byName[m.Name] = m
	}
	if d := cmp.Diff([]string{"next", "flows", "waggle_faults", "slots", "percpu", "routes", "shared"}, names); d != "" {
		t.Errorf("maps (-want +got)\n%s", d)
	}
	if m := byName["flows"]; m.KeySize != 12 || m.ValueSize != 24 || m.Key == nil || m.MaxEntries != 10000 {
		t.Errorf("flows: %+v", m)
	}
	if m := byName["shared"]; !m.Pinned {
		t.Errorf("shared is not pinned")
	}
	names = nil
	for _, v := range o.Variables() {
		names = append(names, v.Section+" "+v.Name)
	}
	if d := cmp.Diff([]string{".bss zeroed", ".data counter", ".rodata port", ".rodata small", ".rodata greeting", ".rodata setting"}, names); d != "" {
		t.Errorf("variables (-want +got)\n%s", d)
	}
	sites := []FaultSite{
		{Pos{"probe.go", 42, 7}, "index out of range"},
		{Pos{"probe.go", 50, 1}, "integer divide by zero"},
	}
	if d := cmp.Diff(sites, o.FaultSites()); d != "" {
		t.Errorf("fault sites (-want +got)\n%s", d)
	}
}

func TestOpenNamesTargets(t *testing.T) {
	got := map[string][2]string{}
	for _, p := range openObject(t, "hooks.o").Programs() {
		got[p.Name] = [2]string{p.Kind, p.Target}
	}
	for name, want := range map[string][2]string{
		"on_xdp":       {"xdp", ""},
		"on_tcx":       {"tcx/ingress", ""},
		"on_tp":        {"tracepoint", "syscalls/sys_enter_getpgid"},
		"on_raw_tp":    {"raw_tp", "sys_enter"},
		"on_uprobe":    {"uprobe", "libc.so.6:getpgid"},
		"on_uretprobe": {"uretprobe", ""},
		"on_connect4":  {"cgroup/connect4", ""},
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	good := readFile(t, "testdata", "tiny.o")
	changed := func(offset int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[offset:], b)
		return c
	}
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "empty file"},
		{"source", []byte("package main\n"), "not an ELF object"},
		{"bitcode", []byte("BC\xc0\xde5"), "LLVM bitcode"},
		{"header cut", good[:40], "truncated: 40 bytes"},
		{"sections cut", good[:len(good)-10], "truncated: the section table ends at byte"},
		{"32-bit", changed(4, 1), "not a 64-bit ELF object"},
		{"byte order unknown", changed(5, 9), "unknown byte order 9"},
		{"big-endian", readFile(t, "testdata", "bigendian.o"), "for big-endian machines, this one is little-endian"},
		{"x86", changed(18, 62, 0), "ELF object for x86-64, not for BPF"},
		{"arm64", changed(18, 183, 0), "ELF object for arm64, not for BPF"},
		{"executable", changed(16, 2), "not a relocatable ELF object"},
		{"no sections", changed(60, 0, 0), "without sections"},
		{"no names", changed(62, 0xff, 0), "without section names"},
		{"no program kind", readFile(t, "testdata", "section.o"), `program p: section "nonsense" names no kind of program`},
	} {
		_, err := OpenBytes("x.o", tt.data)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
			continue
		}
		if !strings.HasPrefix(err.Error(), "open object x.o: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: malformed error %q", tt.name, err)
		}
	}
	if exe, err := os.Executable(); err == nil {
		if _, err := Open(exe); err == nil || !strings.Contains(err.Error(), "not for BPF") {
			t.Errorf("own executable: %v", err)
		}
	}
	if _, err := Open("testdata/absent.o"); !os.IsNotExist(unwrapAll(err)) {
		t.Errorf("absent file: %v", err)
	}
}

func unwrapAll(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		err = u.Unwrap()
	}
}

// TestOpenOtherMachine opens the two objects of a package that reads registers.
func TestOpenOtherMachine(t *testing.T) {
	for arch, other := range map[string]string{"amd64": "arm64", "arm64": "amd64"} {
		data := readFile(t, "..", "examples", "resolve", "zkern_"+other+".o")
		f, err := parseELF(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.checkArch(other); err != nil {
			t.Errorf("%s on its own machine: %v", other, err)
		}
		if err := f.checkArch(arch); err == nil || !strings.Contains(err.Error(), "registers of "+other+", this machine is "+arch) {
			t.Errorf("%s on %s: %v", other, arch, err)
		}
		if _, err := OpenBytes("x.o", data); (err == nil) != (other == runtime.GOARCH) {
			t.Errorf("%s on this machine: %v", other, err)
		}
	}
}

// TestOpenTruncated cuts an object everywhere: no panic, always an error of
// one line.
func TestOpenTruncated(t *testing.T) {
	for _, name := range []string{"tiny.o", "maps.o"} {
		data := readFile(t, "testdata", name)
		for n := range data {
			_, err := OpenBytes(name, data[:n])
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%s cut to %d bytes: %v", name, n, err)
			}
		}
	}
}

// TestOpenFlipped flips each byte of an object, or some with -short: no panic.
func TestOpenFlipped(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 31
	}
	for _, name := range []string{"tiny.o", "maps.o", "traced.o"} {
		data := readFile(t, "testdata", name)
		for n := 0; n < len(data); n += step {
			data[n] ^= 0xff
			open(name, data)
			data[n] ^= 0xff
		}
	}
}

// open does all that can be done with an object without a kernel.
func open(name string, data []byte) {
	o, err := OpenBytes(name, data)
	if err != nil {
		return
	}
	o.Programs()
	o.Maps()
	o.Variables()
	o.Problems()
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"tiny.o", "bigendian.o", "section.o", "maps.o", "traced.o"} {
		f.Add(readFile(f, "testdata", name))
	}
	f.Fuzz(func(t *testing.T, data []byte) { open("fuzz.o", data) })
}

func TestFromSpec(t *testing.T) {
	if _, err := FromSpec("mem", nil, nil); err == nil {
		t.Error("nil collection: no error")
	}
	if _, err := FromSpec("mem", &ebpf.CollectionSpec{}, nil); err == nil || !strings.Contains(err.Error(), "no programs") {
		t.Errorf("empty collection: %v", err)
	}
	spec := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{"two": {
		Name: "two", Type: ebpf.SchedCLS, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()},
	}}}
	o, err := FromSpec("mem", spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := o.Programs()[0]; p.Kind != "schedcls" || p.Instructions != 2 {
		t.Errorf("program %+v", p)
	}
	if d := cmp.Diff([]string{"program two: no line information: verifier errors will have no source position"}, o.Problems()); d != "" {
		t.Errorf("problems (-want +got)\n%s", d)
	}
	if got := run(t, loadObject(t, o, Options{}), "two", 1); got != 2 {
		t.Errorf("returned %d, want 2", got)
	}
}
