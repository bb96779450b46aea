// Package progen generates random programs of kernel Go: packages of functions
// that compile, end, and mostly don't fault, whatever their arguments.
//
// The programs are typed from the inside out. A generator of expressions is asked
// for one of a type and picks among what makes such a value: a variable, field or
// element in scope, an operation, a conversion, a call. What the compiler would
// refuse is avoided by construction: every operation has an operand that is no
// constant, indices and divisors are mostly kept in range, addresses are taken of
// variables that live at least as long as the pointer.
package progen

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Program returns the source of a package with the given name. Its one exported
// function, F, takes and returns integers, booleans, arrays and structs. Package
// variables live on between the calls.
func Program(pkg string, seed uint64) []byte {
	g := &gen{Rand: rand.New(rand.NewPCG(seed, 1))}
	g.memory = g.chance(40)
	g.types()
	g.globals()
	for i := range 2 + g.IntN(3) {
		g.function(fmt.Sprint("h", i), true)
	}
	g.function("F", false)
	return fmt.Appendf(nil, header, pkg, g.out.String())
}

const header = `package %s

import (
	"encoding/binary"
	"math/bits"
)

%s
// The packages count as used.
var (
	_ = binary.BigEndian
	_ = bits.Len8
)

type number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int | ~uint
}

func swap[T any](p, q *T) { *p, *q = *q, *p }

func sum[T number](xs []T) (s T) {
	for _, x := range xs {
		s = s*3 + x
	}
	return s
}

func choose[T any](cond bool, a, b T) T {
	if cond {
		return a
	}
	return b
}

func index[T comparable](xs []T, x T) int {
	for i, y := range xs {
		if x == y {
			return i
		}
	}
	return -1
}

// upTo counts from 0 to n-1 in steps.
func upTo[T number](n, step T) func(func(T) bool) {
	return func(yield func(T) bool) {
		for i := T(0); i < n; i += step {
			if !yield(i) {
				return
			}
		}
	}
}

const text = "the quick brown fox jumps over the lazy dog"
`

// gen is the state of one program.
type gen struct {
	*rand.Rand
	out     strings.Builder
	structs []*typ
	global  []variable
	funcs   []*fn

	// The function being generated.
	scope []variable
	// literals are the function literals in scope.
	literals []*fn
	self     *fn
	names    int
	indent   int
	loops    []loop // that enclose the statement
	budget   int    // statements left
	inLit    bool   // inside a function literal
	memory   bool   // prefer what lives in memory: arrays, structs and pointers
}

// loop is an enclosing loop; label is made up when a statement wants it.
type loop struct {
	label string
	used  *bool
}

// variable is something that can be read, and assigned unless fixed.
type variable struct {
	name  string
	typ   *typ
	fixed bool
	depth int // of the block that declares it
}

// fn is a generated function that others may call.
type fn struct {
	name    string
	params  []*typ
	results []*typ
	recv    *typ // with a pointer receiver if ptrRecv
	ptrRecv bool
	// pure functions change nothing of their callers, and call none that do.
	pure bool
}

func (g *gen) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *gen, list []T) T { return list[g.IntN(len(list))] }

func (g *gen) fresh(prefix string) string {
	g.names++
	return fmt.Sprint(prefix, g.names)
}

// line writes one line of the function being generated.
func (g *gen) line(format string, args ...any) {
	g.out.WriteString(strings.Repeat("\t", g.indent))
	fmt.Fprintf(&g.out, format, args...)
	g.out.WriteByte('\n')
}

// types declares a few structs, later ones containing earlier ones.
func (g *gen) types() {
	for i := range 3 {
		t := &typ{kind: structType, name: fmt.Sprint("S", i)}
		g.line("type %s struct {", t.name)
		if i > 0 && g.chance(30) {
			e := pick(g, g.structs)
			t.fields = append(t.fields, field{e.name, e})
			g.line("\t%s", e.name)
		}
		for k := range 1 + g.IntN(4) {
			f := field{fmt.Sprintf("f%d%d", i, k), g.fieldType()}
			t.fields = append(t.fields, f)
			g.line("\t%s %s", f.name, f.typ)
		}
		g.line("}\n")
		g.structs = append(g.structs, t)
	}
}

// fieldType is a type of limited size: the stack is small.
func (g *gen) fieldType() *typ {
	switch n := g.IntN(10); {
	case n < 6:
		return pick(g, ints)
	case n < 7:
		return boolean
	case n < 9:
		return arrayOf(int64(1+g.IntN(4)), pick(g, ints))
	case len(g.structs) > 0:
		return pick(g, g.structs)
	}
	return pick(g, ints)
}

// valueType is the type of a variable, parameter or result.
func (g *gen) valueType() *typ {
	n := g.IntN(20)
	if g.memory {
		n = max(n, g.IntN(20))
	}
	switch {
	case n < 13:
		return pick(g, ints)
	case n < 15:
		return boolean
	case n < 17:
		return g.arrayType()
	case n < 19:
		return pick(g, g.structs)
	}
	return arrayOf(int64(2+g.IntN(2)), pick(g, g.structs))
}

// arrayType is small, or wide with small elements, or an array of arrays.
func (g *gen) arrayType() *typ {
	switch g.IntN(9) {
	case 0:
		return arrayOf(int64(9+g.IntN(30)), ints[4])
	case 3:
		return arrayOf(int64(9+g.IntN(4)), pick(g, ints[:7]))
	case 1:
		return arrayOf(int64(2+g.IntN(2)), arrayOf(int64(2+g.IntN(3)), pick(g, ints)))
	case 2:
		return arrayOf(int64(2+g.IntN(8)), boolean)
	}
	return arrayOf(int64(1+g.IntN(6)), pick(g, ints))
}

// globals declares package variables and tables.
func (g *gen) globals() {
	for i := range 3 {
		v := variable{name: fmt.Sprint("g", i), typ: g.valueType()}
		if g.chance(40) || v.typ.kind != intType {
			g.line("var %s %s\n", v.name, v.typ)
		} else {
			g.line("var %s %s = %s\n", v.name, v.typ, g.literal(v.typ))
		}
		g.global = append(g.global, v)
	}
	table := arrayOf(int64(3+g.IntN(6)), pick(g, ints))
	var values []string
	for range table.len {
		values = append(values, g.literal(table.elem))
	}
	g.line("var table = %s{%s}\n", table, strings.Join(values, ", "))
	g.global = append(g.global, variable{name: "table", typ: table})
}

// function generates one function; helpers come before those that call them.
func (g *gen) function(name string, helper bool) {
	f := &fn{name: name, pure: helper && g.chance(60)}
	g.self, g.scope, g.literals, g.names, g.indent, g.budget = f, nil, nil, 0, 0, 12+g.IntN(14)
	for _, v := range g.global {
		v.fixed = f.pure
		g.scope = append(g.scope, v)
	}
	var params []string
	for i := range 1 + g.IntN(4) {
		t := g.valueType()
		if i == 0 {
			t = pick(g, ints) // there always is an integer
		}
		if helper && !f.pure && i > 0 && g.chance(25) {
			t = pick(g, []*typ{pointerTo(t), sliceOf(pick(g, ints))})
		}
		f.params = append(f.params, t)
		v := variable{name: fmt.Sprint("a", i), typ: t, depth: 1}
		g.scope = append(g.scope, v)
		params = append(params, v.name+" "+t.String())
	}
	for range 1 + g.IntN(3) {
		f.results = append(f.results, g.valueType())
	}
	if helper && g.chance(30) {
		f.recv, f.ptrRecv = pick(g, g.structs), !f.pure && g.chance(50)
		t := f.recv
		if f.ptrRecv {
			t = pointerTo(t)
		}
		g.scope = append(g.scope, variable{name: "r", typ: t, depth: 1})
	}
	if helper && g.chance(35) {
		g.line("//bpf:noinline")
	}
	var results []string
	for _, t := range f.results {
		results = append(results, t.String())
	}
	recv := ""
	if f.recv != nil {
		recv = fmt.Sprintf("(r %s) ", g.scope[len(g.scope)-1].typ)
	}
	g.line("func %s%s(%s) (%s) {", recv, name, strings.Join(params, ", "), strings.Join(results, ", "))
	g.indent++
	if g.chance(20) { // long enough to run out of registers
		g.budget += 40
		g.statements(30)
	}
	g.statements(3 + g.IntN(8))
	g.ret()
	g.indent--
	g.line("}\n")
	if helper {
		g.funcs = append(g.funcs, f)
	}
}
