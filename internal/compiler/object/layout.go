package object

import (
	"debug/elf"
	"fmt"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

const (
	insnSize = 8
	textName = ".text"
)

// codeSection is an executable section: its functions, one after the other.
type codeSection struct {
	elf   *elfSection
	funcs []*placedFunc
}

// placedFunc is a function and where it lies. Offsets are in bytes.
type placedFunc struct {
	*mach.Code
	sec       *codeSection
	sym       *elfSymbol
	off, size int64
}

// placedVar says where a global variable lies.
type placedVar struct {
	*ir.Global
	sec *elfSection
	off int64
}

// sectionName names the section of f: the one of its program kind and target,
// or .text for a subprogram.
func sectionName(f *ir.Func) string {
	switch {
	case f.Prog == nil:
		return textName
	case f.Prog.Target != "":
		return f.Prog.Kind.Section + "/" + f.Prog.Target
	}
	return f.Prog.Kind.Section
}

// placeCode adds the executable sections, .text first. The functions of a
// section keep their order.
func (w *writer) placeCode(code []*mach.Code) {
	secs := make(map[string]*codeSection)
	section := func(name string) *codeSection {
		if s := secs[name]; s != nil {
			return s
		}
		s := &codeSection{elf: w.file.addSection(&elfSection{
			name: name, typ: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR, align: insnSize,
		})}
		secs[name] = s
		w.code = append(w.code, s)
		return s
	}
	for _, c := range code {
		if c.Func.Prog == nil {
			section(textName)
			break
		}
	}
	for _, c := range code {
		w.placeFunc(section(sectionName(c.Func)), c)
	}
}

func (w *writer) placeFunc(s *codeSection, c *mach.Code) {
	f := &placedFunc{Code: c, sec: s}
	if n := len(s.funcs); n > 0 {
		last := s.funcs[n-1]
		f.off = last.off + last.size
	}
	for i := range c.Insns {
		f.size += int64(c.Insns[i].Slots()) * insnSize
	}
	s.funcs = append(s.funcs, f)
	w.funcs[c.Func] = f

	bind := elf.STB_LOCAL
	if c.Func.Prog != nil {
		bind = elf.STB_GLOBAL
	}
	f.sym = w.file.addSymbol(&elfSymbol{name: c.Func.Name, typ: elf.STT_FUNC, bind: bind, sec: s.elf, value: f.off, size: f.size})
}

// dataSections lists the sections of variables in file order.
var dataSections = []struct {
	name  ir.Section
	typ   elf.SectionType
	flags elf.SectionFlag
}{
	{ir.Rodata, elf.SHT_PROGBITS, elf.SHF_ALLOC},
	{ir.Data, elf.SHT_PROGBITS, elf.SHF_ALLOC | elf.SHF_WRITE},
	{ir.Bss, elf.SHT_NOBITS, elf.SHF_ALLOC | elf.SHF_WRITE},
}

// maxData bounds a data section: it becomes the single value of an array map,
// whose size the kernel keeps below KMALLOC_MAX_SIZE or INT_MAX, by version.
const maxData = 1 << 30

// placeData adds the data sections that have variables.
func (w *writer) placeData(globals []*ir.Global) error {
	for _, d := range dataSections {
		sec := &elfSection{name: string(d.name), typ: d.typ, flags: d.flags, align: 1}
		for _, g := range globals {
			if g.Section != d.name {
				continue
			}
			if err := w.placeVar(sec, g); err != nil {
				return err
			}
		}
		if sec.size > 0 {
			w.file.addSection(sec)
			w.data = append(w.data, sec)
		}
	}
	return nil
}

func (w *writer) placeVar(sec *elfSection, g *ir.Global) error {
	align := max(int(g.Align), 1)
	off := (sec.size + align - 1) &^ (align - 1)
	if g.Size > maxData-int64(off) {
		return fmt.Errorf("variable %s: section %s grows beyond %d bytes", g.Name, sec.name, maxData)
	}
	sec.align = max(sec.align, align)
	sec.size = off + int(varSize(g))
	if sec.typ != elf.SHT_NOBITS {
		sec.data = append(append(sec.data, make([]byte, off-len(sec.data))...), g.Init...)
		sec.data = append(sec.data, make([]byte, sec.size-len(sec.data))...)
	}
	v := &placedVar{Global: g, sec: sec, off: int64(off)}
	w.vars[g] = v
	if !g.Private {
		w.visible = append(w.visible, v)
		w.file.addSymbol(&elfSymbol{name: g.Name, typ: elf.STT_OBJECT, bind: elf.STB_GLOBAL, sec: sec, value: v.off, size: varSize(g)})
	}
	return nil
}

// varSize is the room g takes. A variable of size 0 gets a byte: BTF has no
// variables without size, and loaders tell variables apart by address.
func varSize(g *ir.Global) int64 { return max(g.Size, 1) }
