package object

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// Relocation types of EM_BPF, from Documentation/bpf/llvm_reloc.rst.
const (
	relBPF64_64   = 1  // ldimm64
	relBPF64Abs64 = 2  // an address in data
	relBPF64_32   = 10 // call
)

// Sizes of ELF64 structures.
const (
	ehdrSize = 64
	shdrSize = 64
	symSize  = 24
	relSize  = 16
)

// elfSection is a section of the file to be.
type elfSection struct {
	name   string
	typ    elf.SectionType
	flags  elf.SectionFlag
	align  int
	data   []byte
	size   int // in memory; len(data) unless NOBITS
	relocs []elfReloc

	link, info, entsize, index int
}

// elfReloc patches the instruction at off with the address of sym.
type elfReloc struct {
	off int64
	typ uint32
	sym *elfSymbol
}

// elfSymbol is a row of the symbol table.
type elfSymbol struct {
	name        string
	typ         elf.SymType
	bind        elf.SymBind
	sec         *elfSection
	value, size int64
	index       int
}

// elfFile is a relocatable little-endian BPF object under construction.
type elfFile struct {
	sections []*elfSection
	symbols  []*elfSymbol
	bySec    map[*elfSection]*elfSymbol // section symbols
}

// addSection appends a section; data may be set later.
func (f *elfFile) addSection(s *elfSection) *elfSection {
	f.sections = append(f.sections, s)
	return s
}

// addSymbol appends a symbol. Locals and globals may come in any order.
func (f *elfFile) addSymbol(s *elfSymbol) *elfSymbol {
	f.symbols = append(f.symbols, s)
	return s
}

// sectionSymbol returns the symbol of sec itself, made at the first call.
func (f *elfFile) sectionSymbol(sec *elfSection) *elfSymbol {
	if f.bySec == nil {
		f.bySec = make(map[*elfSection]*elfSymbol)
	}
	sym := f.bySec[sec]
	if sym == nil {
		sym = f.addSymbol(&elfSymbol{typ: elf.STT_SECTION, bind: elf.STB_LOCAL, sec: sec})
		f.bySec[sec] = sym
	}
	return sym
}

// bytes lays out and encodes the file: header, section contents in order,
// section headers.
func (f *elfFile) bytes() []byte {
	for i, s := range f.sections {
		s.index = i + 1
	}
	f.addRelocations(f.addSymbolTable())
	names := f.addSectionNames()

	out := make([]byte, ehdrSize)
	headers := []elf.Section64{{}}
	for i, s := range f.sections {
		out = pad(out, s.align)
		headers = append(headers, f.header(s, names[i], len(out)))
		out = append(out, s.data...)
	}
	out = pad(out, 8)
	shoff := len(out)
	for i := range headers {
		out = mustAppend(out, &headers[i])
	}
	copy(out, mustAppend(nil, f.fileHeader(shoff, len(headers))))
	return out
}

// check refuses two global symbols of one name, and two functions of one name,
// which loaders know by name even if they are local.
func (f *elfFile) check() error {
	globals, funcs := make(map[string]bool), make(map[string]bool)
	for _, s := range f.symbols {
		if s.bind == elf.STB_GLOBAL && globals[s.name] || s.typ == elf.STT_FUNC && funcs[s.name] {
			return fmt.Errorf("two symbols named %q", s.name)
		}
		globals[s.name] = globals[s.name] || s.bind == elf.STB_GLOBAL
		funcs[s.name] = funcs[s.name] || s.typ == elf.STT_FUNC
	}
	return nil
}

// addSymbolTable adds .symtab and .strtab; local symbols come first, as ELF
// demands.
func (f *elfFile) addSymbolTable() (symtab *elfSection) {
	rows := make([]byte, symSize)
	strs := []byte{0}
	index := 1
	for _, bind := range []elf.SymBind{elf.STB_LOCAL, elf.STB_GLOBAL} {
		for _, s := range f.symbols {
			if s.bind != bind {
				continue
			}
			s.index = index
			index++
			row := elf.Sym64{
				Info:  elf.ST_INFO(s.bind, s.typ),
				Shndx: uint16(s.sec.index),
				Value: uint64(s.value),
				Size:  uint64(s.size),
			}
			if s.name != "" {
				row.Name = uint32(len(strs))
				strs = append(append(strs, s.name...), 0)
			}
			rows = mustAppend(rows, &row)
		}
	}
	symtab = f.addSection(&elfSection{
		name: ".symtab", typ: elf.SHT_SYMTAB, align: 8, data: rows, entsize: symSize,
		index: len(f.sections) + 1, link: len(f.sections) + 2, info: f.firstGlobal(),
	})
	f.addSection(&elfSection{name: ".strtab", typ: elf.SHT_STRTAB, align: 1, data: strs, index: symtab.link})
	return symtab
}

// firstGlobal is the index of the first global symbol.
func (f *elfFile) firstGlobal() int {
	n := 1
	for _, s := range f.symbols {
		if s.bind == elf.STB_LOCAL {
			n++
		}
	}
	return n
}

// addRelocations adds a .rel section for each section with relocations.
func (f *elfFile) addRelocations(symtab *elfSection) {
	for _, s := range f.sections {
		if len(s.relocs) == 0 {
			continue
		}
		var data []byte
		for _, r := range s.relocs {
			data = mustAppend(data, &elf.Rel64{Off: uint64(r.off), Info: elf.R_INFO(uint32(r.sym.index), r.typ)})
		}
		f.addSection(&elfSection{
			name: ".rel" + s.name, typ: elf.SHT_REL, flags: elf.SHF_INFO_LINK, align: 8,
			data: data, entsize: relSize, link: symtab.index, info: s.index,
		})
	}
}

// addSectionNames adds .shstrtab and returns each section's offset in it.
func (f *elfFile) addSectionNames() []int {
	sec := f.addSection(&elfSection{name: ".shstrtab", typ: elf.SHT_STRTAB, align: 1})
	strs := []byte{0}
	offs := make([]int, len(f.sections))
	for i, s := range f.sections {
		offs[i] = len(strs)
		strs = append(append(strs, s.name...), 0)
	}
	sec.data = strs
	return offs
}

func (f *elfFile) header(s *elfSection, name, off int) elf.Section64 {
	size := len(s.data)
	if s.typ == elf.SHT_NOBITS {
		size = s.size
	}
	return elf.Section64{
		Name: uint32(name), Type: uint32(s.typ), Flags: uint64(s.flags),
		Off: uint64(off), Size: uint64(size),
		Link: uint32(s.link), Info: uint32(s.info),
		Addralign: uint64(s.align), Entsize: uint64(s.entsize),
	}
}

func (f *elfFile) fileHeader(shoff, shnum int) *elf.Header64 {
	h := &elf.Header64{
		Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_BPF), Version: uint32(elf.EV_CURRENT),
		Shoff: uint64(shoff), Ehsize: ehdrSize, Shentsize: shdrSize,
		Shnum: uint16(shnum), Shstrndx: uint16(shnum - 1),
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	h.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	h.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	return h
}

// pad appends zero bytes up to a multiple of align.
func pad(b []byte, align int) []byte {
	for len(b)%align != 0 {
		b = append(b, 0)
	}
	return b
}

// mustAppend appends the little-endian encoding of a fixed-size structure.
func mustAppend(b []byte, v any) []byte {
	b, err := binary.Append(b, binary.LittleEndian, v)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return b
}
