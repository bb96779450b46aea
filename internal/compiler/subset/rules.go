package subset

import "github.com/waggle-bpf/waggle/internal/compiler/diag"

// inProgram is a package with a program of these statements, in which x, y and
// data may be used, and further declarations.
func inProgram(stmts string, decls ...string) string {
	src := `package p

import "github.com/waggle-bpf/waggle/bpf/xdp"

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	x, y, data := int32(ctx.IngressIfIndex), int32(ctx.RxQueueIndex), ctx.Data()
` + stmts + `
	_, _, _ = x, y, data
	return xdp.Pass
}
`
	for _, d := range decls {
		src += "\n" + d + "\n"
	}
	return src
}

var rules = diag.Rules{
	{
		Code:    codeGo,
		Title:   "goroutines",
		Why:     "a BPF program runs to its end on one CPU",
		WayOut:  "attach a second program to the event that should start it",
		Example: inProgram(`	go f()`, `func f() {}`),
	},
	{
		Code:    codeChan,
		Title:   "channels",
		Why:     "there are no goroutines to talk to",
		WayOut:  "send to user space with bpf.RingBuf, between programs through a map",
		Example: inProgram(`	var c chan int32` + "\n" + `	c <- x`),
	},
	{
		Code:    codeSelect,
		Title:   "select",
		Why:     "there are no channels",
		WayOut:  "remove it",
		Example: inProgram(`	select {}`),
	},
	{
		Code:    codeAppend,
		Title:   "append",
		Why:     "there is no heap to grow a slice on",
		WayOut:  "use an array and a length",
		Example: inProgram(`	s := []int32{1}` + "\n" + `	s = append(s, x)`),
	},
	{
		Code:    codeMake,
		Title:   "make of a size that is not constant",
		Why:     "memory comes from the stack, whose size is fixed when compiling; `make` with constant sizes is an array",
		WayOut:  "make it as large as it can get and slice it, or use bpf.Scratch",
		Example: inProgram(`	s := make([]byte, x)` + "\n" + `	_ = s`),
	},
	{
		Code:    codeGoMap,
		Title:   "Go maps",
		Why:     "the kernel has its own maps, which live as long as the program is loaded",
		WayOut:  "declare a package variable of type bpf.Hash",
		Example: inProgram(`	m := map[int32]int32{}` + "\n" + `	m[x] = y`),
	},
	{
		Code:   codeEscape,
		Title:  "addresses that outlive their variables",
		Why:    "there is no heap to move a variable to: it is gone when its function returns, and one iteration of a loop has it where the next one does",
		WayOut: "return the value itself, or let the caller pass a pointer to its variable",
		Example: inProgram(`	p := f(x)`+"\n"+`	*p++`, `func f(x int32) *int32 {
	x++
	return &x
}`),
	},
	{
		Code:    codeInterface,
		Title:   "interface values",
		Why:     "a method called through an interface is a jump to an address known at run time, which BPF does not have; interfaces as constraints of type parameters are fine",
		WayOut:  "use a type parameter",
		Example: inProgram(`	var i any = x` + "\n" + `	_ = i`),
	},
	{
		Code:   codeAssertion,
		Title:  "type assertions",
		Why:    "there are no interface values",
		WayOut: "use a type parameter",
		Example: `package p

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action { return f(ctx) }

func f(ctx bpf.Context) xdp.Action {
	_ = ctx.(*xdp.Context)
	return xdp.Pass
}
`,
	},
	{
		Code:   codeTypeSwitch,
		Title:  "type switches",
		Why:    "there are no interface values",
		WayOut: "use a type parameter",
		Example: `package p

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action { return f(ctx) }

func f(ctx bpf.Context) xdp.Action {
	switch ctx.(type) {
	}
	return xdp.Pass
}
`,
	},
	{
		Code:    codeFloat,
		Title:   "floating-point numbers",
		Why:     "BPF has no instructions for them; constant expressions are fine as long as the result is an integer",
		WayOut:  "count in smaller units: nanoseconds, thousandths",
		Example: inProgram(`	f := float64(x)` + "\n" + `	_ = f`),
	},
	{
		Code:    codeComplex,
		Title:   "complex numbers",
		Why:     "BPF has no instructions for them",
		WayOut:  "remove them",
		Example: inProgram(`	c := 2i` + "\n" + `	_ = c`),
	},
	{
		Code:    codeDefer,
		Title:   "defer",
		Why:     "a fault leaves the program at once; what must be given back (locks, records, sockets) the compiler gives back itself",
		WayOut:  "call the function before each return",
		Example: inProgram(`	defer f()`, `func f() {}`),
	},
	{
		Code:    codeRecover,
		Title:   "recover",
		Why:     "a fault leaves the program at once",
		WayOut:  "test before: len, nil, zero",
		Example: inProgram(`	recover()`),
	},
	{
		Code:   codeRecursion,
		Title:  "recursion",
		Why:    "the stack has 512 bytes for all calls together, and the verifier wants to know how deep they go",
		WayOut: "write a loop with a bound",
		Example: inProgram(`	x = f(x)`, `func f(x int32) int32 {
	if x == 0 {
		return 0
	}
	return f(x - 1)
}`),
	},
	{
		Code:    codeFuncValue,
		Title:   "function values kept in memory or compared",
		Why:     "BPF has no jump to an address known at run time, so the compiler must know every function that is called",
		WayOut:  "keep functions in local variables and parameters; choose between them with switch",
		Example: inProgram(`	g := [1]func(){f}`+"\n"+`	g[0]()`, `func f() {}`),
	},
	{
		Code:    codePrint,
		Title:   "print and println",
		Why:     "there is no standard error",
		WayOut:  "use bpf.Log",
		Example: inProgram(`	println("x")`),
	},
	{
		Code:    codeNoBody,
		Title:   "functions without a body",
		Why:     "assembly is for another machine",
		WayOut:  "write it in Go",
		Example: inProgram(`	f()`, `func f()`),
	},
	{
		Code:    codeMakeString,
		Title:   "making strings",
		Why:     "there is no heap to keep them; `string(b) == \"GET \"` makes none and is fine, and so is a `switch` on `string(b)`",
		WayOut:  "compare in place, or keep the bytes in an array",
		Example: inProgram(`	s := string(data[:4])` + "\n" + `	_ = s`),
	},
	{
		Code:    codeConcat,
		Title:   "string concatenation",
		Why:     "there is no heap to keep the result; constants can be added",
		WayOut:  "copy the parts into an array, or let user space put them together",
		Example: inProgram(`	s := "a"` + "\n" + `	s += "b"`),
	},
	{
		Code:    codeStringSlice,
		Title:   "slices made of strings",
		Why:     "the conversion copies, and there is no heap to copy to",
		WayOut:  "copy(array[:], s), or index the string itself",
		Example: inProgram(`	s := "abc"` + "\n" + `	b := []byte(s)` + "\n" + `	_ = b`),
	},
	{
		Code:   codeRangeString,
		Title:  "range over strings",
		Why:    "it decodes UTF-8",
		WayOut: "use for i := range len(s) and s[i]",
		Example: inProgram(`	for range "abc" {
		x++
	}`),
	},
	{
		Code:    codeStringOrder,
		Title:   "order of strings",
		Why:     "strings are compared for equality only",
		WayOut:  "use bytes.Compare",
		Example: inProgram(`	s := "abc"` + "\n" + `	if s < "b" {` + "\n" + `		x++` + "\n" + `	}`),
	},
	{
		Code:   codeUnsafe,
		Title:  "arithmetic on addresses",
		Why:    "the verifier follows addresses only where it knows what they point to; `unsafe.Sizeof`, `Offsetof`, `Alignof` and conversions between pointer types are fine",
		WayOut: "use arrays, slices and packet.At",
		Example: `package p

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/xdp"
)

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	return xdp.Action(uintptr(unsafe.Pointer(ctx)))
}
`,
	},
	{
		Code:   codeMapCopy,
		Title:  "maps as values",
		Why:    "a map is an object of the kernel; its variable is only its name",
		WayOut: "use the package variable, or pass a pointer to it",
		Example: `package p

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

var counts = bpf.Array[uint64]{MaxEntries: 1}

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	local := counts
	local.Lookup(0)
	return xdp.Pass
}
`,
	},
	{
		Code:   codeConstStore,
		Title:  "assignment to a //bpf:const variable",
		Why:    "it lies in read-only memory: user space sets it before loading, and the verifier removes what its value rules out",
		WayOut: "remove the directive",
		Example: inProgram(`	level = x`, `//bpf:const
var level int32`),
	},
}
