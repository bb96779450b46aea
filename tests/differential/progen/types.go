package progen

import (
	"fmt"
	"math"
)

type typeKind uint8

const (
	intType typeKind = iota
	boolType
	arrayType
	structType
	pointerType
	sliceType
)

// typ is a type of the generated program.
type typ struct {
	kind   typeKind
	name   string // of an integer or struct
	bits   int
	signed bool
	elem   *typ // of an array, slice or pointer
	len    int64
	fields []field
}

type field struct {
	name string
	typ  *typ
}

func (t *typ) String() string {
	switch t.kind {
	case arrayType:
		return fmt.Sprintf("[%d]%s", t.len, t.elem)
	case pointerType:
		return "*" + t.elem.String()
	case sliceType:
		return "[]" + t.elem.String()
	}
	return t.name
}

func integer(name string, bits int, signed bool) *typ {
	return &typ{kind: intType, name: name, bits: bits, signed: signed}
}

var ints = []*typ{
	integer("int8", 8, true), integer("int16", 16, true), integer("int32", 32, true), integer("int64", 64, true),
	integer("uint8", 8, false), integer("uint16", 16, false), integer("uint32", 32, false), integer("uint64", 64, false),
	integer("int", 64, true), integer("uint", 64, false),
}

var (
	boolean = &typ{kind: boolType, name: "bool"}
	goInt   = ints[8]
)

func arrayOf(n int64, elem *typ) *typ { return &typ{kind: arrayType, len: n, elem: elem} }
func sliceOf(elem *typ) *typ          { return &typ{kind: sliceType, elem: elem} }
func pointerTo(elem *typ) *typ        { return &typ{kind: pointerType, elem: elem} }

// same reports whether two types are identical.
func same(a, b *typ) bool { return a == b || a.String() == b.String() }

// literal returns a constant of integer type t, at an edge of its range more
// often than not.
func (g *gen) literal(t *typ) string {
	bits := uint(t.bits)
	n := g.Uint64() >> g.UintN(64)
	switch g.IntN(5) {
	case 0:
		n = uint64(g.IntN(4)) - 1
	case 1:
		n = 1<<(bits-1) - uint64(g.IntN(3)) + 1
	case 2:
		n = 1<<g.UintN(bits) - uint64(g.IntN(2))
	case 3:
		n = uint64(g.IntN(20))
	}
	if !t.signed {
		return fmt.Sprint(n & (math.MaxUint64 >> (64 - bits)))
	}
	s := int64(n<<(64-bits)) >> (64 - bits)
	if s < 0 {
		return fmt.Sprintf("(%d)", s)
	}
	return fmt.Sprint(s)
}
