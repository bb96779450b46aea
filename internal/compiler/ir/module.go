package ir

import (
	"go/token"
	"go/types"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// Module is everything that ends up in one BPF object.
type Module struct {
	Name    string // Go package path
	License string
	Fset    *token.FileSet
	Sizes   types.Sizes

	Funcs   []*Func // programs first, in source order; then subprograms
	Maps    []*Map
	Globals []*Global

	// InLibrary reports whether a position lies in code that came with the
	// compiler; nil if none does.
	InLibrary func(token.Pos) bool

	// Bound says which loops the kernel is to end, Bounded how many there are
	// once pass loops ran.
	Bound   LoopBound
	Bounded int

	// Faults lists every place where a program may leave with a fault; a
	// site's index is its key in the hidden fault map.
	Faults []FaultSite
	// FaultMap is the hidden per-CPU array that counts faults, nil until pass
	// faults needs it.
	FaultMap *Map
}

// LoopBound says which loops the kernel ends when they have run for long, by
// may_goto instructions (Linux 6.9): the verifier then need not see by itself
// that they end. Such an end is a fault.
type LoopBound uint8

// The choices.
const (
	BoundNone      LoopBound = iota
	BoundUncounted           // loops that neither count from one constant to another nor move a pointer
	BoundAll
)

// Program is what makes a function an entry point.
type Program struct {
	Kind   *abi.ProgramKind
	Target string // as written behind the directive's kind: "sock/inet_sock_set_state"
	// Verdict is what the program returns when it faults.
	Verdict int64
}

// Map is a BPF map declared by a package-level composite literal.
type Map struct {
	Name       string // the Go variable's name, a C identifier
	Kind       abi.MapKind
	Key, Value types.Type // nil where the map kind has none
	// Record is what a ring buffer or perf event array carries; else nil.
	Record     types.Type
	KeySize    uint32
	ValueSize  uint32
	MaxEntries uint32
	Flags      uint32
	Pin        bool // pin by name
	// Slots are the programs that a program array holds from the start, by
	// index; nil where there is none.
	Slots  []*Func
	Hidden bool // made by the compiler, not by the user
	Pos    token.Pos
}

// Section names a data section of the object.
type Section string

// The data sections. Constant strings live in Rodata.
const (
	Data   Section = ".data"
	Bss    Section = ".bss"
	Rodata Section = ".rodata"
)

// Global is a package-level variable of plain type, or a constant string.
type Global struct {
	Name    string
	Type    types.Type
	Size    int64
	Align   int64
	Section Section
	Init    []byte // nil means all zero
	Private bool   // no symbol of its own for loaders: constant strings
	Pos     token.Pos
}

// FaultKind says which of Go's run-time panics a fault stands for.
type FaultKind uint8

// The fault kinds.
const (
	FaultIndex FaultKind = iota
	FaultSlice
	FaultDivide
	FaultNil
	FaultShift
	FaultConvert // slice to array conversion
	FaultPanic   // an explicit call of panic
	FaultLoop    // a loop that the kernel ended; see LoopBound
)

var faultNames = [...]string{
	FaultIndex:   "index out of range",
	FaultSlice:   "slice bounds out of range",
	FaultDivide:  "integer divide by zero",
	FaultNil:     "nil pointer dereference",
	FaultShift:   "negative shift amount",
	FaultConvert: "slice too short for array",
	FaultPanic:   "panic",
	FaultLoop:    "too many iterations",
}

func (k FaultKind) String() string { return faultNames[k] }

// FaultSite is one source position where a program may fault.
type FaultSite struct {
	Kind FaultKind
	Pos  token.Pos
}

// FaultSite returns the index of the site (kind, pos), adding it if new.
func (m *Module) FaultSite(kind FaultKind, pos token.Pos) int64 {
	for i, s := range m.Faults {
		if s.Kind == kind && s.Pos == pos {
			return int64(i)
		}
	}
	m.Faults = append(m.Faults, FaultSite{kind, pos})
	return int64(len(m.Faults) - 1)
}
