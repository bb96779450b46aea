package load

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// Sizes of the ELF64 structures, from the System V ABI.
const (
	elfHeaderSize  = 64
	elfSectionSize = 64
	elfSymbolSize  = 24
)

// maxNoBits bounds what a section without contents (.bss) may claim: the
// kernel refuses array values above INT_MAX bytes anyway, and a damaged file
// must not make us allocate gigabytes.
const maxNoBits = 256 << 20

// elfFile is as much of an ELF object as must be known before the object
// reader of cilium/ebpf can be trusted with it: a file that passes parseELF is
// whole, of the right kind and byte order.
type elfFile struct {
	data     []byte
	sections []elfSection
	symbols  []elfSymbol
}

type elfSection struct {
	name        string
	typ         elf.SectionType
	flags       elf.SectionFlag
	offset      uint64
	size        uint64
	link        uint32
	nameInTable uint32
}

type elfSymbol struct {
	name    string
	info    byte
	section elf.SectionIndex
	value   uint64
	size    uint64
}

// parseELF checks the file's frame and reads its section and symbol tables.
func parseELF(data []byte) (*elfFile, error) {
	if err := checkIdent(data); err != nil {
		return nil, err
	}
	f := &elfFile{data: data}
	if err := f.readSections(); err != nil {
		return nil, err
	}
	if err := f.readSymbols(); err != nil {
		return nil, err
	}
	return f, nil
}

// checkIdent says what kind of file this is, if not one we can load.
func checkIdent(data []byte) error {
	switch {
	case len(data) == 0:
		return errors.New("empty file")
	case bytes.HasPrefix(data, []byte("BC\xc0\xde")):
		return errors.New("LLVM bitcode, not an ELF object (compile with -target bpf -c)")
	case !bytes.HasPrefix(data, []byte(elf.ELFMAG)):
		return errors.New("not an ELF object")
	case len(data) < elfHeaderSize:
		return fmt.Errorf("truncated: %d bytes, an ELF header has %d", len(data), elfHeaderSize)
	case elf.Class(data[elf.EI_CLASS]) != elf.ELFCLASS64:
		return errors.New("not a 64-bit ELF object")
	}
	order, err := byteOrder(elf.Data(data[elf.EI_DATA]))
	if err != nil {
		return err
	}
	machine := elf.Machine(order.Uint16(data[18:]))
	// LLVM before version 5 left the machine of a BPF object empty.
	if machine != elf.EM_BPF && machine != elf.EM_NONE {
		return fmt.Errorf("ELF object for %s, not for BPF", machineName(machine))
	}
	if order != nativeOrder {
		return fmt.Errorf("BPF object for %s-endian machines, this one is %s-endian", orderName(order), orderName(nativeOrder))
	}
	if typ := elf.Type(order.Uint16(data[16:])); typ != elf.ET_REL {
		return fmt.Errorf("not a relocatable ELF object (type %d)", typ)
	}
	return nil
}

// checkArch refuses an object of waggle's compiler that reads the registers of another
// kind of machine than this one, given as GOARCH: it would read wrong ones.
func (f *elfFile) checkArch(this string) error {
	s := f.section(abi.ArchSection)
	if s == nil {
		return nil
	}
	data, err := f.contents(s)
	if err != nil {
		return err
	}
	if arch := tableString(data, 1); arch != this {
		return fmt.Errorf("its programs read registers of %s, this machine is %s; compile it with --arch %s", arch, this, this)
	}
	return nil
}

func byteOrder(d elf.Data) (binary.ByteOrder, error) {
	switch d {
	case elf.ELFDATA2LSB:
		return binary.LittleEndian, nil
	case elf.ELFDATA2MSB:
		return binary.BigEndian, nil
	}
	return nil, fmt.Errorf("ELF object of unknown byte order %d", d)
}

// nativeOrder is the byte order of this machine, comparable with byteOrder's.
var nativeOrder = func() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}()

func orderName(o binary.ByteOrder) string {
	if o == binary.BigEndian {
		return "big"
	}
	return "little"
}

// machineName is the machine as people write it; the ELF constants otherwise.
func machineName(m elf.Machine) string {
	switch m {
	case elf.EM_X86_64:
		return "x86-64"
	case elf.EM_AARCH64:
		return "arm64"
	}
	return m.String()
}

func (f *elfFile) readSections() error {
	offset := nativeOrder.Uint64(f.data[40:])
	entry := uint64(nativeOrder.Uint16(f.data[58:]))
	count := uint64(nativeOrder.Uint16(f.data[60:]))
	names := uint64(nativeOrder.Uint16(f.data[62:]))
	switch {
	case count == 0:
		return errors.New("ELF object without sections")
	case entry != elfSectionSize:
		return fmt.Errorf("ELF object with section headers of %d bytes, not %d", entry, elfSectionSize)
	case !f.within(offset, count*entry):
		return fmt.Errorf("truncated: the section table ends at byte %d of %d", offset+count*entry, len(f.data))
	case names >= count:
		return fmt.Errorf("ELF object without section names (index %d of %d)", names, count)
	}
	for i := range count {
		f.sections = append(f.sections, readSection(f.data[offset+i*entry:]))
	}
	table, err := f.contents(&f.sections[names])
	if err != nil {
		return err
	}
	for i := range f.sections {
		f.sections[i].name = tableString(table, f.sections[i].nameInTable)
	}
	for i := range f.sections {
		if err := f.checkSection(&f.sections[i]); err != nil {
			return err
		}
	}
	return nil
}

func readSection(b []byte) elfSection {
	return elfSection{
		nameInTable: nativeOrder.Uint32(b[0:]),
		typ:         elf.SectionType(nativeOrder.Uint32(b[4:])),
		flags:       elf.SectionFlag(nativeOrder.Uint64(b[8:])),
		offset:      nativeOrder.Uint64(b[24:]),
		size:        nativeOrder.Uint64(b[32:]),
		link:        nativeOrder.Uint32(b[40:]),
	}
}

func (f *elfFile) checkSection(s *elfSection) error {
	if s.typ == elf.SHT_NOBITS {
		if s.size > maxNoBits {
			return fmt.Errorf("section %q claims %d bytes, more than %d", s.name, s.size, maxNoBits)
		}
		return nil
	}
	if s.typ != elf.SHT_NULL && !f.within(s.offset, s.size) {
		return fmt.Errorf("truncated: section %q ends at byte %d of %d", s.name, s.offset+s.size, len(f.data))
	}
	return nil
}

// within reports whether size bytes at offset lie in the file.
func (f *elfFile) within(offset, size uint64) bool {
	n := uint64(len(f.data))
	return offset <= n && size <= n-offset
}

func (f *elfFile) contents(s *elfSection) ([]byte, error) {
	if s.typ == elf.SHT_NOBITS {
		return nil, nil
	}
	if !f.within(s.offset, s.size) {
		return nil, fmt.Errorf("truncated: a section ends at byte %d of %d", s.offset+s.size, len(f.data))
	}
	return f.data[s.offset : s.offset+s.size], nil
}

// section finds a section by name; nil if there is none.
func (f *elfFile) section(name string) *elfSection {
	for i := range f.sections {
		if f.sections[i].name == name {
			return &f.sections[i]
		}
	}
	return nil
}

func (f *elfFile) readSymbols() error {
	for i := range f.sections {
		s := &f.sections[i]
		if s.typ != elf.SHT_SYMTAB {
			continue
		}
		if uint64(s.link) >= uint64(len(f.sections)) {
			return fmt.Errorf("symbol table names section %d of %d", s.link, len(f.sections))
		}
		names, err := f.contents(&f.sections[s.link])
		if err != nil {
			return err
		}
		table, err := f.contents(s)
		if err != nil {
			return err
		}
		for ; len(table) >= elfSymbolSize; table = table[elfSymbolSize:] {
			f.symbols = append(f.symbols, readSymbol(table, names))
		}
	}
	return nil
}

func readSymbol(b, names []byte) elfSymbol {
	return elfSymbol{
		name:    tableString(names, nativeOrder.Uint32(b)),
		info:    b[4],
		section: elf.SectionIndex(nativeOrder.Uint16(b[6:])),
		value:   nativeOrder.Uint64(b[8:]),
		size:    nativeOrder.Uint64(b[16:]),
	}
}

func tableString(table []byte, offset uint32) string {
	if uint64(offset) >= uint64(len(table)) {
		return ""
	}
	name, _, _ := bytes.Cut(table[offset:], []byte{0})
	return string(name)
}

// symbolOrder lists the names of a section's symbols in the order in which
// they lie in it. What a Go map forgets, such as the order of programs in the
// source, comes from here.
func (f *elfFile) symbolOrder(match func(*elfSection) bool) []string {
	var found []elfSymbol
	for _, s := range f.symbols {
		if s.name == "" || int(s.section) >= len(f.sections) || !match(&f.sections[s.section]) {
			continue
		}
		found = append(found, s)
	}
	slices.SortStableFunc(found, func(a, b elfSymbol) int {
		return cmp.Or(cmp.Compare(a.section, b.section), cmp.Compare(a.value, b.value))
	})
	names := make([]string, len(found))
	for i, s := range found {
		names[i] = s.name
	}
	return names
}

func isCode(s *elfSection) bool { return s.flags&elf.SHF_EXECINSTR != 0 }

func isMaps(s *elfSection) bool { return s.name == ".maps" || s.name == "maps" }
