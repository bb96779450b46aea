package lower

import (
	"fmt"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/abi"
	"github.com/waggle-bpf/waggle/internal/compiler/diag"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/source"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// Module lowers everything that the programs of pkg reach. The error, if any,
// is a diag.List.
func Module(pkg *source.Package) (*ir.Module, error) {
	m := &module{
		pkg: pkg,
		ir: &ir.Module{
			Name: pkg.Path, License: pkg.License, Fset: pkg.Fset, Sizes: pkg.Sizes, InLibrary: source.InLibrary,
		},
		maps:      map[*ssa.Global]*ir.Map{},
		globals:   map[*ssa.Global]*ir.Global{},
		strings:   map[string]*ir.Global{},
		instances: map[string]*instance{},
		names:     map[string]bool{},
	}
	m.layouts = &layouts{sizes: pkg.Sizes, packet: m.isPacketType, memo: map[types.Type]*layout{}}
	m.addMaps()
	m.addGlobals()
	for _, p := range pkg.Programs {
		m.names[p.Func.Name()] = true
	}
	progs := map[*source.Program]*ir.Func{}
	for _, p := range pkg.Programs {
		progs[p] = m.program(p)
	}
	for _, d := range pkg.Maps {
		for _, p := range d.Slots {
			m.maps[d.Var].Slots = append(m.maps[d.Var].Slots, progs[p])
		}
	}
	return m.ir, m.diags.Err()
}

type module struct {
	pkg       *source.Package
	ir        *ir.Module
	layouts   *layouts
	maps      map[*ssa.Global]*ir.Map
	globals   map[*ssa.Global]*ir.Global
	strings   map[string]*ir.Global
	instances map[string]*instance
	names     map[string]bool // C identifiers in use
	diags     diag.List
	depth     int // of instances being lowered
}

// instance is a function lowered for one combination of shapes.
type instance struct {
	fn      *ir.Func
	results []shape
	busy    bool
}

func (m *module) addMaps() {
	for _, d := range m.pkg.Maps {
		im := &ir.Map{
			Name: d.Name, Kind: d.Type.Kind, Key: d.Key, Value: d.Value,
			KeySize: d.Type.Key.Fixed, ValueSize: d.Type.Value.Fixed,
			MaxEntries: d.MaxEntries, Flags: d.Flags | d.Type.Flags, Pin: d.Pin, Pos: d.Pos,
			Record: recordType(d),
		}
		if d.Key != nil {
			im.KeySize = uint32(m.pkg.Sizes.Sizeof(d.Key))
		}
		if d.Value != nil {
			im.ValueSize = uint32(m.pkg.Sizes.Sizeof(d.Value))
		}
		m.maps[d.Var] = im
		m.ir.Maps = append(m.ir.Maps, im)
	}
}

// recordType is the type argument of a buffer's map type; nil for other maps.
func recordType(d *source.Map) types.Type {
	if d.Type.Kind != abi.MapRingBuf && d.Type.Kind != abi.MapPerfEventArray {
		return nil
	}
	named, ok := types.Unalias(d.Var.Object().Type()).(*types.Named)
	if !ok || named.TypeArgs().Len() != 1 {
		return nil
	}
	return named.TypeArgs().At(0)
}

func (m *module) addGlobals() {
	for _, d := range m.pkg.Globals {
		g := &ir.Global{
			Name: d.Name, Type: d.Type, Init: d.Init, Pos: d.Pos,
			Size: m.pkg.Sizes.Sizeof(d.Type), Align: m.pkg.Sizes.Alignof(d.Type), Section: ir.Data,
		}
		switch {
		case d.Const:
			g.Section = ir.Rodata
		case d.Init == nil:
			g.Section = ir.Bss
		}
		m.globals[d.Var] = g
		m.ir.Globals = append(m.ir.Globals, g)
	}
}

// constString returns the read-only global that holds s and a final zero,
// which the printing helpers want.
func (m *module) constString(s string, pos token.Pos) *ir.Global {
	if g := m.strings[s]; g != nil {
		return g
	}
	g := &ir.Global{
		Name: fmt.Sprintf("str.%d", len(m.strings)), Section: ir.Rodata, Private: true,
		Type: types.NewArray(types.Typ[types.Byte], int64(len(s)+1)),
		Size: int64(len(s) + 1), Align: 1, Init: append([]byte(s), 0), Pos: pos,
	}
	m.strings[s] = g
	m.ir.Globals = append(m.ir.Globals, g)
	return g
}

// isPacketType reports whether t is a type marked //bpf:packet.
func (m *module) isPacketType(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && m.pkg.PacketTypes[named.Origin().Obj()]
}

// program lowers an entry point. Programs come first in the module, so the
// function is put in place before what it calls.
func (m *module) program(p *source.Program) *ir.Func {
	f := m.newFunc(p.Func, p.Func.Name())
	f.Prog = &ir.Program{Kind: p.Kind, Target: p.Target, Verdict: p.Verdict}
	inst := &instance{fn: f}
	m.lowerFunc(inst, p.Func, nil, make([]shape, len(p.Func.Params)))
	m.sortPrograms()
	return f
}

func (m *module) sortPrograms() {
	var progs, subs []*ir.Func
	for _, f := range m.ir.Funcs {
		if f.Prog != nil {
			progs = append(progs, f)
		} else {
			subs = append(subs, f)
		}
	}
	m.ir.Funcs = append(progs, subs...)
}

func (m *module) newFunc(fn *ssa.Function, name string) *ir.Func {
	f := m.ir.NewFunc(name, fn.Pos())
	f.Sig = fn.Signature
	if obj, ok := fn.Object().(*types.Func); ok {
		f.NoInline = m.pkg.NoInline[obj.Origin()]
		f.Library = strings.HasPrefix(obj.Pkg().Path()+"/", source.ModulePath+"/bpf/")
	}
	return f
}

// maxDepth bounds how deep functions may be lowered for the sake of others.
const maxDepth = 64

// instance returns the target of a call lowered for arguments of the given
// shapes.
func (m *module) instance(from *fn, target shape, args []shape, pos token.Pos) *instance {
	key := target.key() + shapesKey(args)
	inst := m.instances[key]
	if inst == nil {
		inst = &instance{busy: true}
		m.instances[key] = inst
		inst.fn = m.newFunc(target.fn, m.uniqueName(target.fn))
		if m.depth++; m.depth > maxDepth {
			from.fail(pos, subset.Recursion, "use a loop", "%s calls itself through function values", target.fn.Name())
		}
		m.lowerFunc(inst, target.fn, target.free, args)
		m.depth--
		inst.busy = false
	} else if inst.busy {
		from.fail(pos, subset.Recursion, "use a loop", "%s calls itself", target.fn.Name())
	}
	return inst
}

// uniqueName makes a C identifier for fn.
func (m *module) uniqueName(fn *ssa.Function) string {
	base := fn.Name()
	if recv := fn.Signature.Recv(); recv != nil {
		t := recv.Type()
		if p, ok := t.(*types.Pointer); ok {
			t = p.Elem()
		}
		if named, ok := types.Unalias(t).(*types.Named); ok {
			base = named.Obj().Name() + "_" + base
		}
	}
	if fn.Pkg != nil && fn.Pkg != m.pkg.SSA {
		base = fn.Pkg.Pkg.Name() + "_" + base
	}
	base = strings.Map(func(r rune) rune {
		if r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, base)
	name := base
	for i := 1; m.names[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	m.names[name] = true
	return name
}

// lowerFunc lowers one body; a refused construct ends the function only.
func (m *module) lowerFunc(inst *instance, src *ssa.Function, free, params []shape) {
	f := &fn{
		m: m, src: src, ir: inst.fn, inst: inst,
		shapes: map[ssa.Value]shape{}, vals: map[ssa.Value]rep{}, tuples: map[ssa.Value][]rep{},
		blocks: map[*ssa.BasicBlock]*ir.Block{}, ends: map[*ssa.BasicBlock]*ir.Block{},
	}
	defer func() {
		if r := recover(); r != nil && r != errRefused {
			panic(diag.NewBug(r, m.pkg.Fset.Position(f.pos)))
		}
	}()
	if len(src.Blocks) == 0 {
		panic("BUG: call of " + src.Name() + " without a body passed the subset rules")
	}
	f.inferShapes(free, params)
	f.lower(free, params)
}
