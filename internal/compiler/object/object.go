package object

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"go/types"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/waggle-bpf/waggle/internal/abi"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
	"github.com/waggle-bpf/waggle/internal/faultinfo"
)

// Options tell Write what the module doesn't know. The zero value works.
type Options struct {
	// Dir is the kernel package's directory, in the form in which the module's
	// file set names it. File names in the object are relative to it.
	Dir string
	// Lines returns the text of a source line, by the file set's file name; ""
	// if it is unknown. Nil leaves line info without text.
	Lines func(file string, line int) string
	// BTFName returns the name that a //bpf:btf directive gives to a type, or
	// "". May be nil.
	BTFName func(*types.TypeName) string
	// Arch is the only machine, as GOARCH has it, that the object is for; "" if it
	// is for all.
	Arch string
}

// Write encodes m as a BPF object. code holds the functions of m in the order
// in which they are to lie. The result depends on nothing but the arguments.
//
// An error means that the program asks for what objects cannot express: a call
// of a program, data sections of gigabytes, two symbols of one name.
func Write(m *ir.Module, code []*mach.Code, opts Options) ([]byte, error) {
	w := newWriter(m, opts)
	if err := w.build(m, code); err != nil {
		return nil, fmt.Errorf("write object: %w", err)
	}
	w.addArch(opts.Arch)
	return w.file.bytes(), nil
}

// CollectionSpec parses an object for loading with cilium/ebpf.
func CollectionSpec(obj []byte) (*ebpf.CollectionSpec, error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(obj))
	if err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	}
	return spec, nil
}

// writer is the state of one Write.
type writer struct {
	file  elfFile
	types *converter
	lines lineSource

	code     []*codeSection
	data     []*elfSection
	visible  []*placedVar // the variables that have a symbol
	datasecs []*btf.Datasec
	records  []*btf.Typedef // see abi.RecordPrefix

	funcs map[*ir.Func]*placedFunc
	maps  map[*ir.Map]*elfSymbol
	vars  map[*ir.Global]*placedVar
}

func newWriter(m *ir.Module, opts Options) *writer {
	return &writer{
		types: newConverter(m.Name, m.Sizes, opts.BTFName),
		lines: lineSource{fset: m.Fset, dir: opts.Dir, text: opts.Lines},
		funcs: make(map[*ir.Func]*placedFunc),
		maps:  make(map[*ir.Map]*elfSymbol),
		vars:  make(map[*ir.Global]*placedVar),
	}
}

// build fills w.file.
func (w *writer) build(m *ir.Module, code []*mach.Code) error {
	w.placeCode(code)
	w.addLicense(m.License)
	w.placeMaps(m.Maps)
	if err := w.placeData(m.Globals); err != nil {
		return err
	}
	w.describeData()
	if err := w.encodeCode(); err != nil {
		return err
	}
	if err := w.addBTF(); err != nil {
		return err
	}
	if err := w.addFaults(m.Faults); err != nil {
		return err
	}
	return w.file.check()
}

// addArch says which machine the object is for, unless it is for all.
func (w *writer) addArch(arch string) {
	if arch == "" {
		return
	}
	w.file.addSection(&elfSection{name: abi.ArchSection, typ: elf.SHT_STRTAB, align: 1, data: []byte("\x00" + arch + "\x00")})
}

func (w *writer) addLicense(license string) {
	w.file.addSection(&elfSection{
		name: "license", typ: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC | elf.SHF_WRITE, align: 1,
		data: append([]byte(license), 0),
	})
}

// describeData makes the BTF of the data sections. A section with nothing but
// constant strings has none.
func (w *writer) describeData() {
	for _, sec := range w.data {
		ds := &btf.Datasec{Name: sec.name, Size: uint32(sec.size)}
		for _, v := range w.visible {
			if v.sec != sec {
				continue
			}
			ds.Vars = append(ds.Vars, btf.VarSecinfo{
				Type:   &btf.Var{Name: v.Name, Type: w.types.convert(v.Type), Linkage: btf.GlobalVar},
				Offset: uint32(v.off),
				Size:   uint32(varSize(v.Global)),
			})
		}
		if len(ds.Vars) > 0 {
			w.datasecs = append(w.datasecs, ds)
		}
	}
}

// addBTF adds .BTF and .BTF.ext.
func (w *writer) addBTF() error {
	var b btf.Builder
	ids := make(map[*placedFunc]btf.TypeID)
	for _, s := range w.code {
		for _, f := range s.funcs {
			id, err := b.Add(w.types.function(f.Func))
			if err != nil {
				return fmt.Errorf("describe function %s: %w", f.Func.Name, err)
			}
			ids[f] = id
		}
	}
	for _, ds := range w.datasecs {
		if _, err := b.Add(ds); err != nil {
			return fmt.Errorf("describe section %s: %w", ds.Name, err)
		}
	}
	for _, t := range w.records {
		if _, err := b.Add(t); err != nil {
			return fmt.Errorf("describe records %s: %w", t.Name, err)
		}
	}
	if b.Empty() {
		return nil
	}
	raw, err := b.Marshal(nil, &btf.MarshalOptions{Order: binary.LittleEndian})
	if err != nil {
		return fmt.Errorf("encode types: %w", err)
	}
	blob := newBTFBlob(raw)
	var ext []byte
	if len(ids) > 0 {
		ext = w.extInfo(blob, ids)
	}
	w.file.addSection(&elfSection{name: ".BTF", typ: elf.SHT_PROGBITS, align: 8, data: blob.data})
	if ext != nil {
		w.file.addSection(&elfSection{name: ".BTF.ext", typ: elf.SHT_PROGBITS, align: 8, data: ext})
	}
	return nil
}

// addFaults adds the table of fault sites.
func (w *writer) addFaults(faults []ir.FaultSite) error {
	if len(faults) == 0 {
		return nil
	}
	sites := make([]faultinfo.Site, len(faults))
	for i, f := range faults {
		sites[i] = faultinfo.Site{Kind: f.Kind.String()}
		if p := w.lines.position(f.Pos); p.IsValid() {
			sites[i].File, sites[i].Line, sites[i].Col = clean(w.lines.fileName(p.Filename)), p.Line, p.Column
		}
	}
	data, err := faultinfo.Append(nil, sites)
	if err != nil {
		return err
	}
	w.file.addSection(&elfSection{name: faultinfo.Section, typ: elf.SHT_STRTAB, align: 1, data: data})
	return nil
}
