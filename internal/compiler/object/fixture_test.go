package object

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/abi"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// probeDir is where the fixture's source pretends to lie.
const probeDir = "/src/probe"

// fixture is a module under construction, with Go source for its types and
// positions.
type fixture struct {
	t    testing.TB
	m    *ir.Module
	code []*mach.Code
	src  string
	pkg  *types.Package
	file *token.File
}

func newFixture(t testing.TB, src string) *fixture {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, probeDir+"/probe.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Sizes: types.SizesFor("gc", "amd64"), Importer: importer.Default()}
	pkg, err := conf.Check("example.com/probe", fset, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{
		t: t, src: src, pkg: pkg, file: fset.File(file.Pos()),
		m: &ir.Module{Name: pkg.Path(), License: "Dual MIT/GPL", Fset: fset, Sizes: conf.Sizes},
	}
}

// options are what the compiler would pass.
func (f *fixture) options() Options {
	lines := strings.Split(f.src, "\n")
	return Options{Dir: probeDir, Arch: "amd64", Lines: func(file string, line int) string {
		if file != probeDir+"/probe.go" || line > len(lines) {
			return ""
		}
		return lines[line-1]
	}}
}

func (f *fixture) write() []byte {
	f.t.Helper()
	obj, err := Write(f.m, f.code, f.options())
	if err != nil {
		f.t.Fatal(err)
	}
	return obj
}

// typ evaluates a type expression in the fixture's package.
func (f *fixture) typ(expr string) types.Type {
	f.t.Helper()
	tv, err := types.Eval(f.m.Fset, f.pkg, token.NoPos, expr)
	if err != nil || !tv.IsType() {
		f.t.Fatalf("%s: not a type: %v", expr, err)
	}
	return tv.Type
}

// at returns the position of the first occurrence of text in the source.
func (f *fixture) at(text string) token.Pos {
	f.t.Helper()
	i := strings.Index(f.src, text)
	if i < 0 {
		f.t.Fatalf("no %q in the source", text)
	}
	return f.file.Pos(i)
}

// fn adds a function; its signature comes from the source if it is there.
func (f *fixture) fn(name string, insns ...mach.Insn) *ir.Func {
	fn := f.m.NewFunc(name, token.NoPos)
	if obj, ok := f.pkg.Scope().Lookup(name).(*types.Func); ok {
		fn.Sig, fn.Pos = obj.Signature(), obj.Pos()
	}
	f.code = append(f.code, &mach.Code{Func: fn, Insns: insns})
	return fn
}

// prog adds a program.
func (f *fixture) prog(kind, target, name string, insns ...mach.Insn) *ir.Func {
	k := abi.ProgramKindByName(kind)
	if k == nil {
		f.t.Fatalf("no program kind %s", kind)
	}
	fn := f.fn(name, insns...)
	fn.Prog = &ir.Program{Kind: k, Target: target}
	return fn
}

func (f *fixture) global(name string, section ir.Section, typ string, init []byte) *ir.Global {
	t := f.typ(typ)
	g := &ir.Global{
		Name: name, Type: t, Section: section, Init: init,
		Size: f.m.Sizes.Sizeof(t), Align: f.m.Sizes.Alignof(t),
	}
	f.m.Globals = append(f.m.Globals, g)
	return g
}

// str adds a constant string.
func (f *fixture) str(s string) *ir.Global {
	g := &ir.Global{
		Name: "str", Type: types.Typ[types.String], Size: int64(len(s)), Align: 1,
		Section: ir.Rodata, Init: []byte(s), Private: true,
	}
	f.m.Globals = append(f.m.Globals, g)
	return g
}

// mapOf adds a map; key and value are type expressions, "" for none.
func (f *fixture) mapOf(name string, kind abi.MapKind, key, value string, entries uint32) *ir.Map {
	m := &ir.Map{Name: name, Kind: kind, MaxEntries: entries}
	if key != "" {
		m.Key = f.typ(key)
		m.KeySize = uint32(f.m.Sizes.Sizeof(m.Key))
	}
	if value != "" {
		m.Value = f.typ(value)
		m.ValueSize = uint32(f.m.Sizes.Sizeof(m.Value))
	}
	f.m.Maps = append(f.m.Maps, m)
	return m
}

// Instructions.

func movImm(dst mach.Reg, n int64) mach.Insn {
	return mach.Insn{Op: mach.Opcode(mach.ClassALU64) | mach.Mov, Dst: dst, Imm: n}
}

func mov(dst, src mach.Reg) mach.Insn {
	return mach.Insn{Op: mach.Opcode(mach.ClassALU64) | mach.Mov | mach.SrcReg, Dst: dst, Src: src}
}

func add(dst, src mach.Reg) mach.Insn {
	return mach.Insn{Op: mach.Opcode(mach.ClassALU64) | mach.Add | mach.SrcReg, Dst: dst, Src: src}
}

func addImm(dst mach.Reg, n int64) mach.Insn {
	return mach.Insn{Op: mach.Opcode(mach.ClassALU64) | mach.Add, Dst: dst, Imm: n}
}

func load(size mach.Opcode, dst, src mach.Reg, off int16) mach.Insn {
	return mach.Insn{Op: mach.Opcode(mach.ClassLDX) | mach.ModeMEM | size, Dst: dst, Src: src, Off: off}
}

func store(size mach.Opcode, dst mach.Reg, off int16, src mach.Reg) mach.Insn {
	return mach.Insn{Op: mach.Opcode(mach.ClassSTX) | mach.ModeMEM | size, Dst: dst, Src: src, Off: off}
}

func ldsym(dst mach.Reg, sym any, off int64) mach.Insn {
	return mach.Insn{Op: mach.LDIMM64, Dst: dst, Sym: sym, Imm: off}
}

func call(f *ir.Func, nargs uint8) mach.Insn {
	return mach.Insn{Op: mach.CALL, Sym: f, NArgs: nargs}
}

func helper(n int64, nargs uint8) mach.Insn {
	return mach.Insn{Op: mach.CALL, Imm: n, NArgs: nargs}
}

var exit = mach.Insn{Op: mach.EXIT}

// pos gives the instructions a position.
func pos(p token.Pos, insns ...mach.Insn) []mach.Insn {
	for i := range insns {
		insns[i].Pos = p
	}
	return insns
}

func concat(parts ...[]mach.Insn) []mach.Insn {
	var all []mach.Insn
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

const demoSrc = `package probe

type Kind uint8

const (
	KindOpen  Kind = 1
	KindClose Kind = 2
)

type Event struct {
	ID   uint64
	Kind Kind
	Port uint16
	Next *Event
}

type Args struct {
	Common uint64
	Sock   uintptr
}

type Conf struct {
	Limit uint32
	Extra uint16
}

var (
	conf  Conf
	total int
)

func Count(ctx *int) int32 {
	n := triple(7)
	n += total + int(conf.Limit)
	each()
	return int32(n)
}

func each() {}

func Other(ctx *int) int32 { return 2 }

func Trace(args *Args) int32 { return 0 }

func triple(x int) int { return inc(x) * 3 }

func inc(x int) int { return x + 1 }

func visit(m *int, key *uint32, value *Event, n *int) int64 { return 0 }
`

// demoResult is what Count returns: the sum of what it reads, see demo.
const demoResult = 3*(7+1) + 500 + 40 + 6 + 'l' + 3

// demo is a module with all that an object can contain: two programs in one
// section and one with a target, subprograms that call each other, a callback,
// variables in each section, a constant string, typed, untyped and hidden maps.
func demo(t testing.TB) *fixture {
	f := newFixture(t, demoSrc)
	events := f.mapOf("Events", abi.MapHash, "uint32", "Event", 64)
	f.mapOf("Ring", abi.MapRingBuf, "", "", 4096)
	faults := f.mapOf("waggle_faults", abi.MapPerCPUArray, "uint32", "uint64", 1)
	faults.Hidden = true
	f.m.FaultMap = faults
	f.m.FaultSite(ir.FaultIndex, f.at("total + int"))

	pad := f.global("Pad", ir.Rodata, "uint8", []byte{1})
	text := f.str("hello")
	conf := f.global("conf", ir.Rodata, "Conf", []byte{40, 0, 0, 0, 6, 0, 0, 0})
	f.global("first", ir.Data, "uint16", []byte{1, 0})
	total := f.global("total", ir.Data, "int", []byte{0xf4, 1, 0, 0, 0, 0, 0, 0})
	f.global("zero", ir.Bss, "[3]uint8", nil)
	calls := f.global("calls", ir.Bss, "uint64", nil)
	_ = pad

	// Programs come first, so the functions they refer to are made up front.
	inc := &ir.Func{Name: "inc", Module: f.m}
	triple := &ir.Func{Name: "triple", Module: f.m}
	visit := &ir.Func{Name: "visit", Module: f.m}

	f.prog("xdp", "", "Count", concat(
		pos(f.at("n := triple"), movImm(1, 7), call(triple, 1), mov(6, 0)),
		pos(f.at("total + int"), ldsym(1, total, 0), load(mach.SizeDW, 2, 1, 0), add(6, 2)),
		pos(f.at("conf.Limit"),
			ldsym(1, conf, 0), load(mach.SizeW, 2, 1, 0), add(6, 2),
			ldsym(1, conf, 4), load(mach.SizeH, 2, 1, 0), add(6, 2),
			ldsym(1, text, 3), load(mach.SizeB, 2, 1, 0), add(6, 2)),
		pos(f.at("each()\n"), insertEvents(events, 3)...),
		pos(f.at("each()\n"),
			ldsym(1, events, 0), ldsym(2, visit, 0), movImm(3, 0), movImm(4, 0),
			helper(164, 4), // for_each_map_elem
			ldsym(1, calls, 0), load(mach.SizeDW, 2, 1, 0), add(6, 2)),
		pos(f.at("return int32(n)"), mov(0, 6), exit),
	)...)
	f.prog("xdp", "", "Other", pos(f.at("return 2"), movImm(0, 2), exit)...)
	f.prog("tracepoint", "sock/inet_sock_set_state", "Trace",
		pos(f.at("return 0"), load(mach.SizeDW, 1, 1, 8), movImm(0, 0), exit)...)
	f.sub(triple, pos(f.at("inc(x) * 3"), call(inc, 1), mov(1, 0), add(0, 1), add(0, 1), exit)...)
	f.sub(inc, pos(f.at("return x + 1"), mov(0, 1), addImm(0, 1), exit)...)
	f.sub(visit,
		ldsym(1, calls, 0), movImm(2, 1), load(mach.SizeDW, 3, 1, 0), add(3, 2), store(mach.SizeDW, 1, 0, 3),
		movImm(0, 0), exit)
	return f
}

// sub adds a subprogram that other functions refer to already.
func (f *fixture) sub(fn *ir.Func, insns ...mach.Insn) {
	*fn = *f.fn(fn.Name, insns...)
	f.code[len(f.code)-1].Func = fn
	f.m.Funcs[len(f.m.Funcs)-1] = fn
}

// insertEvents puts n elements into a hash from uint32 to Event.
func insertEvents(m *ir.Map, n int) []mach.Insn {
	insns := []mach.Insn{movImm(1, 0)}
	for off := int16(-24); off < 0; off += 8 {
		insns = append(insns, store(mach.SizeDW, 10, off, 1))
	}
	for i := range n {
		insns = append(insns,
			movImm(1, int64(i)), store(mach.SizeDW, 10, -32, 1),
			ldsym(1, m, 0), mov(2, 10), addImm(2, -32), mov(3, 10), addImm(3, -24), movImm(4, 0),
			helper(2, 4)) // map_update_elem
	}
	return insns
}
