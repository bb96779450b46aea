package source

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// Package is a kernel package, loaded, checked, pruned to what its programs
// reach, and in SSA form.
type Package struct {
	Path    string // import path, or the directory's name outside a module
	Dir     string // its directory; "" if there is none
	License string
	Fset    *token.FileSet
	Types   *types.Package
	// Info holds what the type checker found out about the kernel package and
	// everything it imports.
	Info *types.Info
	// Files is the kernel package's syntax without the functions and variables
	// that no program reaches.
	Files []*ast.File
	// Imports are the packages it uses, dependencies first, pruned likewise.
	Imports []*Import
	SSA     *ssa.Package
	Sizes   types.Sizes

	Programs []*Program
	// Roots are functions asked for by name (Config.Roots).
	Roots   []*ssa.Function
	Maps    []*Map    // reached from the programs, library maps included
	Globals []*Global // likewise; those of size 0 are left out

	// Lowerings tells what to emit in place of a library function's body,
	// by the generic origin of the function.
	Lowerings map[*types.Func]*Lowering
	// NoInline holds functions with a //bpf:noinline directive.
	NoInline map[*types.Func]bool
	// PacketTypes holds the types marked //bpf:packet, by type name object.
	PacketTypes map[*types.TypeName]bool
	// BTFNames holds //bpf:btf names.
	BTFNames map[*types.TypeName]string

	// Lines gives the text of a source line, for line info; "" if unknown.
	Lines func(file string, line int) string
}

// Import is a package that the kernel package uses, directly or not.
type Import struct {
	Types *types.Package
	Files []*ast.File
	// Library packages are waggle's own: bpf/... and the twins of the standard
	// packages.
	Library bool
}

// Program is a function with a //bpf:<kind> directive.
type Program struct {
	Func    *ssa.Function
	Kind    *abi.ProgramKind
	Target  string
	Verdict int64 // on a fault: the kind's, or what //bpf:fault says
	Pos     token.Pos

	slots []slot
}

// Map is a package-level variable of one of package bpf's map types.
type Map struct {
	Var        *ssa.Global
	Name       string // C identifier, unique in the object
	Type       *abi.MapType
	Key, Value types.Type // nil where the map kind has none of its own
	Event      types.Type // the T of RingBuf[T] and PerfEventArray[T], else nil
	MaxEntries uint32
	Flags      uint32
	Pin        bool
	// Slots are the programs that a program array holds from the start, by
	// index; nil where there is none.
	Slots []*Program
	Pos   token.Pos

	fields map[string]constant.Value // what the literal sets
}

// Global is any other package-level variable.
type Global struct {
	Var  *ssa.Global
	Name string
	Type types.Type
	// Init is the initial value as it lies in memory; nil if all zero.
	Init []byte
	// Const variables (//bpf:const) are read-only and settable before load.
	Const bool
	Pos   token.Pos
}

// Lowering is the directive of a library function.
type Lowering struct {
	// Helper is the BPF helper's name without "bpf_", or empty.
	Helper string
	Args   []Arg
	// NotNil: the helper's result is never nil, although the verifier thinks so.
	NotNil bool
	// Intrinsic is the intrinsic's name, or empty; Words are what follows it.
	Intrinsic string
	Words     []string
}

// ArgKind says how an argument of a helper is made.
type ArgKind uint8

// The argument kinds; see ARCHITECTURE.md.
const (
	ArgParam  ArgKind = iota // x
	ArgRef                   // &x; &0 has Param -1
	ArgPtr                   // x.ptr
	ArgLen                   // x.len
	ArgSizeof                // sizeof(x), sizeof(T)
	ArgInt                   // a literal
)

// Arg is one argument of a helper call.
type Arg struct {
	Kind ArgKind
	// Param is the index of the Go parameter, the receiver counting as 0
	// where there is one.
	Param int
	// Type names the type parameter or type of a sizeof that is no parameter.
	Type string
	Int  int64
}

// LoweringOf returns what stands in for the body of a library function; nil if
// fn is an ordinary function.
func (p *Package) LoweringOf(fn *ssa.Function) *Lowering {
	obj, ok := fn.Object().(*types.Func)
	if !ok {
		return nil
	}
	return p.Lowerings[obj.Origin()]
}

// IsPacket reports whether t is a type marked //bpf:packet.
func (p *Package) IsPacket(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && p.PacketTypes[named.Obj()]
}
