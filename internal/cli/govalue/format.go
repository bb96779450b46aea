package govalue

import (
	"fmt"
	"go/types"
	"strconv"
	"strings"
)

// Readable tells whether Format can print values of type t: whether they consist
// of integers, bools, arrays and structs alone.
func Readable(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		_, ok := kinds[u.Kind()]
		return ok
	case *types.Array:
		return Readable(u.Elem())
	case *types.Struct:
		for i := range u.NumFields() {
			if !Readable(u.Field(i).Type()) {
				return false
			}
		}
		return true
	}
	return false
}

// Format prints a value of type t from its memory as fmt's %v would, String
// methods apart: they are code of a package that isn't linked in.
func Format(t types.Type, data []byte) (string, error) {
	if !Readable(t) {
		return "", fmt.Errorf("type %s can't be printed; only integers, bools, arrays and structs can", name(t))
	}
	if want := Sizes.Sizeof(t); int64(len(data)) < want {
		return "", fmt.Errorf("print %s: %d bytes of %d", name(t), len(data), want)
	}
	var b strings.Builder
	format(&b, t, data)
	return b.String(), nil
}

func format(b *strings.Builder, t types.Type, data []byte) {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		b.WriteString(formatBasic(u, data[:Sizes.Sizeof(u)]))
	case *types.Array:
		size := Sizes.Sizeof(u.Elem())
		b.WriteByte('[')
		for i := range u.Len() {
			if i > 0 {
				b.WriteByte(' ')
			}
			format(b, u.Elem(), data[i*size:])
		}
		b.WriteByte(']')
	case *types.Struct:
		b.WriteByte('{')
		for i, offset := range offsets(u) {
			if i > 0 {
				b.WriteByte(' ')
			}
			format(b, u.Field(i).Type(), data[offset:])
		}
		b.WriteByte('}')
	}
}

func offsets(s *types.Struct) []int64 {
	fields := make([]*types.Var, s.NumFields())
	for i := range fields {
		fields[i] = s.Field(i)
	}
	return Sizes.Offsetsof(fields)
}

func formatBasic(t *types.Basic, data []byte) string {
	if t.Info()&types.IsBoolean != 0 {
		return strconv.FormatBool(data[0] != 0)
	}
	v := number(data)
	if t.Info()&types.IsUnsigned != 0 {
		return strconv.FormatUint(v, 10)
	}
	shift := 64 - 8*len(data)
	return strconv.FormatInt(int64(v)<<shift>>shift, 10)
}

// number reads an integer from memory.
func number(data []byte) uint64 {
	switch len(data) {
	case 1:
		return uint64(data[0])
	case 2:
		return uint64(order.Uint16(data))
	case 4:
		return uint64(order.Uint32(data))
	default:
		return order.Uint64(data)
	}
}
