package source

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/diag"
)

// example completes the body of a package of examples.
func example(body string) string { return "package p\n\n" + body + "\n" }

// xdpExample is a package with an XDP program and imports to go with it.
func xdpExample(decls string) string {
	return example(`import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

` + decls)
}

// mapExample declares a map M and a program that uses it.
func mapExample(decls string) string {
	return xdpExample(decls + `

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	use(&M)
	return xdp.Pass
}

func use[T any](*T) {}

var _ bpf.Errno`)
}

// globalExample declares a variable v and a program that uses it.
func globalExample(decls string) string {
	return example(`import "github.com/waggle-bpf/waggle/bpf/xdp"

` + decls + `

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	use(&v)
	return xdp.Pass
}

func use[T any](*T) {}`)
}

// Rules documents what loading refuses.
var Rules = slices.Concat(packageRules, directiveDocs, mapRules, globalRules)

var packageRules = diag.Rules{
	{
		Code:   codeHostOnly,
		Title:  "package that kernel code can't use",
		Why:    "there are kernel-side twins of parts of `bytes`, `cmp`, `encoding/binary`, `math/bits`, `slices` and `sync/atomic`, and of nothing else in the standard library; functions that no program reaches may use anything",
		WayOut: "move what uses it out of the functions that programs reach",
		Example: example(`import (
	"fmt"

	"github.com/waggle-bpf/waggle/bpf/xdp"
)

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	fmt.Println("packet")
	return xdp.Pass
}`),
	},
	{
		Code:   codeNotFound,
		Title:  "package that can't be found",
		Why:    "packages of other modules are found by the go command, which needs a `go.mod`",
		WayOut: "run waggle inside the module, with the go command in PATH",
		Example: example(`import (
	"example.com/other"

	"github.com/waggle-bpf/waggle/bpf/xdp"
)

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action { return other.Verdict }`),
	},
	{
		Code:    codeNoFunction,
		Title:   "function that isn't there",
		Why:     "it was asked for by name",
		WayOut:  "name a function of the package, not a method",
		Example: "",
	},
}

var directiveDocs = diag.Rules{
	{
		Code:   codeUnknownDirective,
		Title:  "unknown directive",
		Why:    "a program whose directive is misspelt would silently not be one",
		WayOut: "the kinds of programs, `//bpf:fault`, `//bpf:slot`, `//bpf:noinline`, `//bpf:license`, `//bpf:const` and `//bpf:btf` are all there is",
		Example: example(`import "github.com/waggle-bpf/waggle/bpf/xdp"

//bpf:xpd
func Prog(ctx *xdp.Context) xdp.Action { return xdp.Pass }`),
	},
	{
		Code:   codeMisplaced,
		Title:  "misplaced directive",
		Why:    "a directive belongs to the declaration that it stands directly above",
		WayOut: "put it directly above the declaration it is for",
		Example: example(`import "github.com/waggle-bpf/waggle/bpf/xdp"

//bpf:xdp

func Prog(ctx *xdp.Context) xdp.Action { return xdp.Pass }`),
	},
	{
		Code:   codeLibraryDirective,
		Title:  "directive of the library",
		Why:    "`//bpf:helper`, `//bpf:intrinsic` and `//bpf:packet` are the contract between the compiler and package `bpf`; they change together",
		WayOut: "use the functions of package bpf",
		Example: example(`//bpf:helper ktime_get_ns()
func now() uint64 { return 0 }`),
	},
	{
		Code:   codeTarget,
		Title:  "target missing or too much",
		Why:    "some kinds of programs, like tracepoints, attach to what the directive names; others attach where the loader says",
		WayOut: "a tracepoint's target is its group and name: sock/inet_sock_set_state",
		Example: example(`type args struct{ pad [8]byte }

//bpf:tracepoint
func Prog(ctx *args) int32 { return 0 }`),
	},
	{
		Code:   codeContext,
		Title:  "wrong context type",
		Why:    "the kernel passes every kind of program its own struct",
		WayOut: "take the context type of the program's kind",
		Example: example(`import "github.com/waggle-bpf/waggle/bpf/xdp"

//bpf:tc
func Prog(ctx *xdp.Context) int32 { return 0 }`),
	},
	{
		Code:   codeResult,
		Title:  "wrong result type",
		Why:    "the kernel reads one integer: the verdict",
		WayOut: "return the verdict type of the hook's package",
		Example: example(`import "github.com/waggle-bpf/waggle/bpf/xdp"

//bpf:xdp
func Prog(ctx *xdp.Context) bool { return true }`),
	},
	{
		Code:   codeVerdict,
		Title:  "bad fault verdict",
		Why:    "a program that faults returns this value",
		WayOut: "write an integer or the name of a constant: //bpf:fault xdp.Drop",
		Example: example(`import "github.com/waggle-bpf/waggle/bpf/xdp"

//bpf:xdp
//bpf:fault Dorp
func Prog(ctx *xdp.Context) xdp.Action { return xdp.Pass }`),
	},
	{
		Code:   codeBadLicense,
		Title:  "bad license",
		Why:    "the kernel gives some helpers only to programs under a license compatible with the GPL",
		WayOut: "write one //bpf:license \"GPL\"",
		Example: example(`import "github.com/waggle-bpf/waggle/bpf/xdp"

//bpf:license GPL

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action { return xdp.Pass }`),
	},
	{
		Code:   codeProgramShape,
		Title:  "program that is a method, generic or without a body",
		Why:    "the kernel calls a program with the context and nothing else",
		WayOut: "make it a plain function and call the other from there",
		Example: example(`import "github.com/waggle-bpf/waggle/bpf/xdp"

type T struct{}

//bpf:xdp
func (T) Prog(ctx *xdp.Context) xdp.Action { return xdp.Pass }`),
	},
	{
		Code:   codeTwoPrograms,
		Title:  "two program directives on one function",
		Why:    "an object holds a program once, under one hook",
		WayOut: "write a second function that calls the first",
		Example: example(`import "github.com/waggle-bpf/waggle/bpf/tc"

//bpf:tcx/ingress
//bpf:tcx/egress
func Prog(ctx *tc.Context) int32 { return 0 }`),
	},
	{
		Code:   codeSpacedDirective,
		Title:  "directive behind a space",
		Why:    "Go takes it for prose",
		WayOut: "remove the space",
		Example: example(`import "github.com/waggle-bpf/waggle/bpf/xdp"

// bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action { return xdp.Pass }`),
	},
	{
		Code:   codeSlot,
		Title:  "bad slot of a program array",
		Why:    "the loader puts the program there, and the kernel wants all programs of an array to be of one type",
		WayOut: "name a bpf.ProgArray of this package and a free index of it: //bpf:slot Handlers 6",
		Example: example(`import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

var Handlers = bpf.ProgArray{MaxEntries: 4}

//bpf:xdp
//bpf:slot Handlers 4
func Prog(ctx *xdp.Context) xdp.Action { return xdp.Pass }`),
	},
}

var mapRules = diag.Rules{
	{
		Code:    codeNoMaxEntries,
		Title:   "map without a size",
		Why:     "the kernel allocates maps when it loads them",
		WayOut:  "set MaxEntries",
		Example: mapExample(`var M = bpf.Hash[uint32, uint64]{}`),
	},
	{
		Code:    codeKeyPointer,
		Title:   "key with pointers",
		Why:     "keys are compared byte by byte, and user space sees them",
		WayOut:  "use integers, arrays and structs of them",
		Example: mapExample(`var M = bpf.Hash[string, uint64]{MaxEntries: 1}`),
	},
	{
		Code:   codeKeyHole,
		Title:  "key with padding holes",
		Why:    "keys are compared byte by byte, padding included",
		WayOut: "make the padding a field",
		Example: mapExample(`type Flow struct {
	Port uint16
	Addr uint32
}

var M = bpf.Hash[Flow, uint64]{MaxEntries: 1}`),
	},
	{
		Code:    codeValuePointer,
		Title:   "value with pointers",
		Why:     "memory that a pointer could point to is gone when the program returns, and user space sees values",
		WayOut:  "use integers, arrays and structs of them",
		Example: mapExample(`var M = bpf.Hash[uint32, *uint64]{MaxEntries: 1}`),
	},
	{
		Code:   codeMapLiteral,
		Title:  "map that is not a constant literal",
		Why:    "maps are made when the program is loaded; no code runs before",
		WayOut: "declare it as var M = bpf.Hash[K, V]{MaxEntries: 1024} with constant fields",
		Example: mapExample(`var size uint32 = 7

var M = bpf.Hash[uint32, uint64]{MaxEntries: size}`),
	},
	{
		Code:    codeTooLarge,
		Title:   "map beyond the kernel's limits",
		Why:     "the kernel refuses keys above 512 bytes, values above 32 KiB for each CPU, and arrays above 4 GiB",
		WayOut:  "make it smaller",
		Example: mapExample(`var M = bpf.Hash[[600]byte, uint64]{MaxEntries: 1}`),
	},
	{
		Code:    codeRingSize,
		Title:   "ring buffer of an odd size",
		Why:     "the kernel wants a power of two of whole pages of 4096 bytes",
		WayOut:  "use the next power of two",
		Example: mapExample(`var M = bpf.RingBuf[uint64]{MaxEntries: 5000}`),
	},
	{
		Code:    codeNestedMap,
		Title:   "map inside another variable",
		Why:     "a map is an object of the kernel, not memory",
		WayOut:  "declare every map as a package variable of its own",
		Example: mapExample(`var M [2]bpf.Hash[uint32, uint64]`),
	},
	{
		Code:    codeZeroSize,
		Title:   "key or value without a size",
		Why:     "the kernel refuses it",
		WayOut:  "use uint8 for a value that doesn't matter",
		Example: mapExample(`var M = bpf.Hash[uint32, struct{}]{MaxEntries: 1}`),
	},
	{
		Code:    codeLPMKey,
		Title:   "key that is none for an LPM trie",
		Why:     "the kernel reads the length of the prefix from the first four bytes",
		WayOut:  "use a struct of a uint32, the prefix length in bits, and up to 256 bytes of data",
		Example: mapExample(`var M = bpf.LPMTrie[uint32, uint64]{MaxEntries: 1}`),
	},
	{
		Code:   codeSpinLock,
		Title:  "misplaced spin lock",
		Why:    "the kernel knows one lock in each value of a map, and maps of some types only may have them",
		WayOut: "give the values of a Hash, an Array or an SkStorage a struct with one SpinLock",
		Example: mapExample(`type Counter struct {
	Lock bpf.SpinLock
	N    uint64
}

var M = bpf.LRUHash[uint32, Counter]{MaxEntries: 1}`),
	},
}

var globalRules = diag.Rules{
	{
		Code:   codeNotConstant,
		Title:  "variable whose initial value is not constant",
		Why:    "no code runs before a program is loaded",
		WayOut: "use constants and composite literals of constants, or set it from user space before loading",
		Example: globalExample(`var v = f()

func f() int { return 7 }`),
	},
	{
		Code:    codeGlobalPointer,
		Title:   "variable that holds an address",
		Why:     "a program's variables are the value of a map, which user space reads; addresses mean nothing there",
		WayOut:  "use integers, arrays and structs of them; a constant string can be a const",
		Example: globalExample(`var v = "hello"`),
	},
	{
		Code:    codeGlobalSize,
		Title:   "variable that is too large",
		Why:     "all variables of a section are the one value of an array map",
		WayOut:  "use a map",
		Example: globalExample(`var v [1 << 29]byte`),
	},
	{
		Code:   codeInit,
		Title:  "variable that an init function uses",
		Why:    "no code runs before a program is loaded, so the variable would have another value in the kernel than in Go",
		WayOut: "give the variable a constant initial value, or set it from user space before loading",
		Example: globalExample(`var v int32

func init() { v = 7 }`),
	},
}
