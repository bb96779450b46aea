package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// Program describes one program of an object.
type Program struct {
	// Name is the function's name.
	Name string
	// Section is the ELF section, "tracepoint/sock/inet_sock_set_state".
	Section string
	// Kind is what kind of program it is, in the words of a directive or of
	// libbpf's section names: "xdp", "tcx/ingress", "tracepoint".
	Kind string
	// Target is what the section names besides the kind:
	// "sock/inet_sock_set_state". Empty: chosen when attaching.
	Target string
	// Type and AttachType are the kernel's words for Kind.
	Type       ebpf.ProgramType
	AttachType ebpf.AttachType
	// License decides whether GPL-only helpers may be called.
	License string
	// Instructions is the number of 8-byte instruction slots, those of the
	// called subprograms included.
	Instructions int
}

// Programs lists the object's programs in the order of the file.
func (o *Object) Programs() []Program {
	list := make([]Program, 0, len(o.programs))
	for _, name := range o.programs {
		list = append(list, describeProgram(o.spec.Programs[name]))
	}
	return list
}

func describeProgram(p *ebpf.ProgramSpec) Program {
	return Program{
		Name:         p.Name,
		Section:      p.SectionName,
		Kind:         kindOf(p),
		Target:       p.AttachTo,
		Type:         p.Type,
		AttachType:   p.AttachType,
		License:      p.License,
		Instructions: int(p.Instructions.Size() / 8),
	}
}

// kindOf is the section without its target and without libbpf's mark for
// programs that are not loaded by default. Objects made in memory may have no
// sections; then the kernel's words serve.
func kindOf(p *ebpf.ProgramSpec) string {
	kind := strings.TrimPrefix(p.SectionName, "?")
	if p.AttachTo != "" {
		kind = strings.TrimSuffix(kind, "/"+p.AttachTo)
	}
	if kind == "" {
		kind = strings.ToLower(p.Type.String())
	}
	return kind
}

// MapInfo describes one map of an object.
type MapInfo struct {
	Name       string
	Type       ebpf.MapType
	KeySize    uint32 // bytes
	ValueSize  uint32 // bytes
	MaxEntries uint32
	Flags      uint32 // BPF_F_*
	// Key and Value are the types the object declares; nil if it does not.
	Key, Value btf.Type
	// Pinned maps live in Options.PinPath and are shared by name.
	Pinned bool
}

// Maps lists the object's maps in the order of the file, without those that
// hold its variables.
func (o *Object) Maps() []MapInfo {
	var list []MapInfo
	for _, name := range o.maps {
		if m := o.spec.Maps[name]; !holdsVariables(name) {
			list = append(list, describeMap(name, m))
		}
	}
	return list
}

func describeMap(name string, m *ebpf.MapSpec) MapInfo {
	return MapInfo{
		Name:       name,
		Type:       m.Type,
		KeySize:    m.KeySize,
		ValueSize:  m.ValueSize,
		MaxEntries: m.MaxEntries,
		Flags:      m.Flags,
		Key:        m.Key,
		Value:      m.Value,
		Pinned:     m.Pinning != ebpf.PinNone,
	}
}

// holdsVariables reports whether a map is a data section; no C or Go name
// starts with a dot.
func holdsVariables(name string) bool { return strings.HasPrefix(name, ".") }

// VariableInfo describes one global variable of an object.
type VariableInfo struct {
	Name    string
	Section string // ".rodata", ".data", ".bss" or one beginning so
	Size    uint32 // bytes
	// Constant variables can be set before loading only.
	Constant bool
	// Type is nil if the object has no type information.
	Type btf.Type
}

// Variables lists the object's global variables, sorted by section and offset.
func (o *Object) Variables() []VariableInfo {
	specs := slices.SortedFunc(maps.Values(o.spec.Variables), func(a, b *ebpf.VariableSpec) int {
		if a.SectionName != b.SectionName {
			return strings.Compare(a.SectionName, b.SectionName)
		}
		return int(a.Offset) - int(b.Offset)
	})
	list := make([]VariableInfo, 0, len(specs))
	for _, v := range specs {
		list = append(list, VariableInfo{
			Name:     v.Name,
			Section:  v.SectionName,
			Size:     v.Size(),
			Constant: v.Constant(),
			Type:     variableType(v),
		})
	}
	return list
}

// variableType avoids the typed nil that v.Type.Type would risk.
func variableType(v *ebpf.VariableSpec) btf.Type {
	if v.Type == nil {
		return nil
	}
	return v.Type.Type
}

// Problems lists what will fail or surprise when the object is loaded and can
// be seen without a kernel, one sentence each.
func (o *Object) Problems() []string {
	var list []string
	for _, name := range o.programs {
		p := o.spec.Programs[name]
		if p.License == "" {
			list = append(list, fmt.Sprintf("program %s: no license: helpers reserved for GPL programs will be refused", name))
		}
		if !hasLines(p) {
			list = append(list, fmt.Sprintf("program %s: no line information: verifier errors will have no source position", name))
		}
	}
	for _, name := range o.maps {
		if m := o.spec.Maps[name]; m.MaxEntries == 0 && !sizedByKernel[m.Type] {
			list = append(list, fmt.Sprintf("map %s: max_entries is 0", name))
		}
	}
	return list
}

// sizedByKernel holds the map types for which max_entries may be 0.
var sizedByKernel = map[ebpf.MapType]bool{
	ebpf.PerfEventArray:      true,
	ebpf.CPUMap:              true,
	ebpf.SkStorage:           true,
	ebpf.TaskStorage:         true,
	ebpf.InodeStorage:        true,
	ebpf.CgroupStorage:       true,
	ebpf.CGroupStorage:       true,
	ebpf.PerCPUCGroupStorage: true,
	ebpf.StructOpsMap:        true,
}

func hasLines(p *ebpf.ProgramSpec) bool {
	for i := range p.Instructions {
		if p.Instructions[i].Source() != nil {
			return true
		}
	}
	return false
}
