package object

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// parsed is an object read back, the way a loader sees it.
type parsed struct {
	*elf.File
	syms []elf.Symbol // without the null symbol: index i is symbol i+1
	spec *btf.Spec
}

func parse(t *testing.T, obj []byte) *parsed {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(obj))
	if err != nil {
		t.Fatal(err)
	}
	syms, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(obj))
	if err != nil {
		t.Fatal(err)
	}
	return &parsed{File: f, syms: syms, spec: spec}
}

// reloc is a relocation with what it refers to and the instruction it patches.
type reloc struct {
	typ  uint32
	sym  elf.Symbol
	sec  string // the symbol's section
	insn []byte
}

func (r *reloc) imm() int32 { return int32(binary.LittleEndian.Uint32(r.insn[4:])) }

func (p *parsed) relocs() []reloc {
	var rs []reloc
	for _, s := range p.Sections {
		if s.Type != elf.SHT_REL {
			continue
		}
		data, _ := s.Data()
		code, _ := p.Sections[s.Info].Data()
		for ; len(data) > 0; data = data[relSize:] {
			off := binary.LittleEndian.Uint64(data)
			info := binary.LittleEndian.Uint64(data[8:])
			sym := p.syms[elf.R_SYM64(info)-1]
			rs = append(rs, reloc{typ: elf.R_TYPE64(info), sym: sym, sec: p.Sections[sym.Section].Name, insn: code[off:]})
		}
	}
	return rs
}

// functions returns the STT_FUNC symbols by the name of their section.
func (p *parsed) functions(inText bool) []elf.Symbol {
	var fs []elf.Symbol
	for _, s := range p.syms {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && (p.Sections[s.Section].Name == ".text") == inText {
			fs = append(fs, s)
		}
	}
	return fs
}

func (p *parsed) mapDefs() (names []string, defs []*btf.Struct) {
	var ds *btf.Datasec
	if p.spec.TypeByName(".maps", &ds) != nil {
		return nil, nil
	}
	for _, v := range ds.Vars {
		v := v.Type.(*btf.Var)
		names = append(names, v.Name)
		defs = append(defs, v.Type.(*btf.Struct))
	}
	return names, defs
}

// rules are what objects must obey because the two loaders disagree about it.
// Each comes with a way to break it, to show that its check works.
var rules = []struct {
	name  string
	why   string
	check func(*parsed) error
	spoil func(*writer)
}{
	{
		name:  "1 long ext header",
		why:   "cilium/ebpf refuses a .BTF.ext header of 24 bytes",
		check: checkExtHeader,
		spoil: func(w *writer) { w.section(".BTF.ext").data[4] = 24 },
	},
	{
		name:  "2 no offset against a variable's symbol",
		why:   "cilium/ebpf ignores the offset",
		check: checkDataRelocs,
		spoil: func(w *writer) { w.retarget(".rodata", "conf") },
	},
	{
		name:  "3 callbacks are local, static and relative to .text",
		why:   "cilium/ebpf binds others to the wrong function, the kernel refuses non-static ones",
		check: checkCallbacks,
		spoil: func(w *writer) { w.symbol("visit").bind = elf.STB_GLOBAL },
	},
	{
		name:  "4 subprograms are in .text",
		why:   "libbpf refuses calls of other sections",
		check: checkCallTargets,
		spoil: func(w *writer) { w.section(".text").name = "sub" },
	},
	{
		name:  "5 one .bss",
		why:   "cilium/ebpf and libbpf 1.1 refuse .bss.x",
		check: checkDataNames,
		spoil: func(w *writer) { w.section(".bss").name = ".bss.more" },
	},
	{
		name:  "6 only known map fields",
		why:   "cilium/ebpf refuses numa_node",
		check: checkMapFields,
		spoil: func(w *writer) { w.renameString("max_entries", "numa_node__") },
	},
	{
		name:  "7 no section maps",
		why:   "libbpf 1.0 refuses the old map format",
		check: checkNoLegacyMaps,
		spoil: func(w *writer) { w.section(".maps").name = "maps" },
	},
	{
		name:  "8 maps are global",
		why:   "both refuse static maps",
		check: checkMapBinding,
		spoil: func(w *writer) { w.symbol("Events").bind = elf.STB_LOCAL },
	},
	{
		name:  "9 calls refer to the section",
		why:   "cilium/ebpf refuses calls of local function symbols",
		check: checkCallRelocs,
		spoil: func(w *writer) { w.retarget(".text", "triple") },
	},
	{
		name:  "10 programs are global",
		why:   "libbpf refuses static programs",
		check: checkProgramBinding,
		spoil: func(w *writer) { w.symbol("Other").bind = elf.STB_LOCAL },
	},
	{
		name:  "11 one map symbol for each map variable",
		why:   "cilium/ebpf counts",
		check: checkMapCount,
		spoil: func(w *writer) {
			w.file.addSymbol(&elfSymbol{name: "More", typ: elf.STT_OBJECT, bind: elf.STB_GLOBAL, sec: w.section(".maps"), value: 4})
		},
	},
}

func TestLoaderRules(t *testing.T) {
	obj := parse(t, demo(t).write())
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			if err := r.check(obj); err != nil {
				t.Errorf("%v (%s)", err, r.why)
			}
			if r.spoil == nil {
				return
			}
			f := demo(t)
			w := newWriter(f.m, f.options())
			if err := w.build(f.m, f.code); err != nil {
				t.Fatal(err)
			}
			r.spoil(w)
			if r.check(parse(t, w.file.bytes())) == nil {
				t.Error("the check does not notice a broken object")
			}
		})
	}
}

func (w *writer) section(name string) *elfSection {
	i := slices.IndexFunc(w.file.sections, func(s *elfSection) bool { return s.name == name })
	return w.file.sections[i]
}

func (w *writer) symbol(name string) *elfSymbol {
	i := slices.IndexFunc(w.file.symbols, func(s *elfSymbol) bool { return s.name == name })
	return w.file.symbols[i]
}

// renameString replaces a string of .BTF by another of the same length.
func (w *writer) renameString(from, to string) {
	sec := w.section(".BTF")
	sec.data = bytes.ReplaceAll(sec.data, []byte("\x00"+from+"\x00"), []byte("\x00"+to+"\x00"))
}

// retarget makes relocations against a section refer to a symbol instead.
func (w *writer) retarget(section, symbol string) {
	sec := w.file.sectionSymbol(w.section(section))
	for _, s := range w.file.sections {
		for i := range s.relocs {
			if s.relocs[i].sym == sec {
				s.relocs[i].sym = w.symbol(symbol)
			}
		}
	}
}

func checkExtHeader(p *parsed) error {
	ext, err := p.Section(".BTF.ext").Data()
	if err != nil {
		return err
	}
	if n := binary.LittleEndian.Uint32(ext[4:]); n != 32 {
		return fmt.Errorf("header of %d bytes, want 32", n)
	}
	return nil
}

func checkDataRelocs(p *parsed) error {
	n := 0
	for _, r := range p.relocs() {
		if !strings.HasPrefix(r.sec, ".rodata") && r.sec != ".data" && r.sec != ".bss" {
			continue
		}
		n++
		if elf.ST_TYPE(r.sym.Info) != elf.STT_SECTION {
			return fmt.Errorf("relocation against %q", r.sym.Name)
		}
	}
	if n == 0 {
		return fmt.Errorf("no relocation against a data section")
	}
	return nil
}

func checkCallbacks(p *parsed) error {
	local := make(map[int64]elf.Symbol)
	for _, s := range p.functions(true) {
		if elf.ST_BIND(s.Info) == elf.STB_LOCAL {
			local[int64(s.Value)] = s
		}
	}
	n := 0
	for _, r := range p.relocs() {
		if r.typ != relBPF64_64 || r.sec != ".text" {
			continue
		}
		n++
		if elf.ST_TYPE(r.sym.Info) != elf.STT_SECTION {
			return fmt.Errorf("relocation against %q", r.sym.Name)
		}
		sym, ok := local[int64(r.imm())]
		if !ok {
			return fmt.Errorf("no local function at byte %d of .text", r.imm())
		}
		var fn *btf.Func
		if err := p.spec.TypeByName(sym.Name, &fn); err != nil || fn.Linkage != btf.StaticFunc {
			return fmt.Errorf("callback %s is not static in BTF", sym.Name)
		}
	}
	if n == 0 {
		return fmt.Errorf("no callback")
	}
	return nil
}

func checkCallTargets(p *parsed) error {
	for _, r := range p.relocs() {
		if r.typ == relBPF64_32 && r.sec != ".text" {
			return fmt.Errorf("call of section %s", r.sec)
		}
	}
	if len(p.functions(true)) == 0 {
		return fmt.Errorf("no function in .text")
	}
	return nil
}

func checkDataNames(p *parsed) error {
	for _, s := range p.Sections {
		if strings.HasPrefix(s.Name, ".bss") && s.Name != ".bss" {
			return fmt.Errorf("section %s", s.Name)
		}
	}
	return nil
}

var mapFields = []string{"type", "key", "value", "key_size", "value_size", "max_entries", "map_flags", "pinning"}

func checkMapFields(p *parsed) error {
	names, defs := p.mapDefs()
	for i, def := range defs {
		for _, m := range def.Members {
			if !slices.Contains(mapFields, m.Name) {
				return fmt.Errorf("map %s has field %s", names[i], m.Name)
			}
		}
	}
	return nil
}

func checkNoLegacyMaps(p *parsed) error {
	for _, s := range p.Sections {
		if strings.HasPrefix(s.Name, "maps") {
			return fmt.Errorf("section %s", s.Name)
		}
	}
	return nil
}

func checkMapBinding(p *parsed) error {
	for _, s := range p.mapSymbols() {
		if elf.ST_BIND(s.Info) != elf.STB_GLOBAL {
			return fmt.Errorf("map %s is local", s.Name)
		}
	}
	return nil
}

func (p *parsed) mapSymbols() []elf.Symbol {
	var ms []elf.Symbol
	for _, s := range p.syms {
		if elf.ST_TYPE(s.Info) == elf.STT_OBJECT && p.Sections[s.Section].Name == ".maps" {
			ms = append(ms, s)
		}
	}
	return ms
}

func checkCallRelocs(p *parsed) error {
	starts := make(map[int64]bool)
	for _, s := range p.functions(true) {
		starts[int64(s.Value)] = true
	}
	n := 0
	for _, r := range p.relocs() {
		if r.typ != relBPF64_32 {
			continue
		}
		n++
		if elf.ST_TYPE(r.sym.Info) != elf.STT_SECTION {
			return fmt.Errorf("call of symbol %q", r.sym.Name)
		}
		if off := (int64(r.imm()) + 1) * insnSize; !starts[off] {
			return fmt.Errorf("call of byte %d of .text, where no function starts", off)
		}
	}
	if n == 0 {
		return fmt.Errorf("no call")
	}
	return nil
}

func checkProgramBinding(p *parsed) error {
	for _, s := range p.functions(false) {
		if elf.ST_BIND(s.Info) != elf.STB_GLOBAL {
			return fmt.Errorf("program %s is local", s.Name)
		}
	}
	return nil
}

func checkMapCount(p *parsed) error {
	names, _ := p.mapDefs()
	if n := len(p.mapSymbols()); n != len(names) || n == 0 {
		return fmt.Errorf("%d symbols for %d variables", n, len(names))
	}
	return nil
}
