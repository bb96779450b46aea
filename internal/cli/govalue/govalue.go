// Package govalue turns words of a command line into values of Go types as they
// lie in memory, and such memory into the text that fmt's %v gives. It works on
// go/types, since the types are those of a kernel package that is compiled, not
// linked in.
//
// Integers are written in Go's syntax (-7, 0x1f, 0b1010, 1_000_000), bools as true
// and false, byte arrays and byte slices as hexadecimal digits ("0a0b", "0x0a0b").
// Named types are written as what they are made of.
package govalue

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"go/types"
	"strconv"
	"strings"
)

// Sizes is how Go lays out memory on the 64-bit machines that BPF runs on.
var Sizes types.Sizes = types.SizesFor("gc", "amd64")

// order is the byte order in memory: that of the machine the kernel runs on.
var order = binary.NativeEndian

// Parse reads text as a value of type t and returns its memory, Sizes.Sizeof(t)
// bytes. Of a byte slice it returns the content, which has any length.
func Parse(t types.Type, text string) ([]byte, error) {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if k, ok := kinds[u.Kind()]; ok {
			return k.parse(text, int(Sizes.Sizeof(u)))
		}
	case *types.Array:
		if isByte(u.Elem()) {
			return parseBytes(text, u.Len())
		}
	case *types.Slice:
		if isByte(u.Elem()) {
			return parseBytes(text, -1)
		}
	}
	return nil, fmt.Errorf("type %s can't be written on a command line; only integers, bools, byte arrays and byte slices can", name(t))
}

// Writable tells whether Parse can make values of type t.
func Writable(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		_, ok := kinds[u.Kind()]
		return ok
	case *types.Array:
		return isByte(u.Elem())
	case *types.Slice:
		return isByte(u.Elem())
	}
	return false
}

// kind says how a basic type is written.
type kind struct {
	parse func(text string, size int) ([]byte, error)
}

var (
	signed   = kind{parseSigned}
	unsigned = kind{parseUnsigned}
	boolean  = kind{parseBool}
)

var kinds = map[types.BasicKind]kind{
	types.Bool: boolean,
	types.Int:  signed, types.Int8: signed, types.Int16: signed, types.Int32: signed, types.Int64: signed,
	types.Uint: unsigned, types.Uint8: unsigned, types.Uint16: unsigned, types.Uint32: unsigned, types.Uint64: unsigned,
	types.Uintptr: unsigned,
}

func parseSigned(text string, size int) ([]byte, error) {
	v, err := strconv.ParseInt(text, 0, size*8)
	if err != nil {
		return nil, integerError(text, err, "int", size)
	}
	return memory(uint64(v), size), nil
}

func parseUnsigned(text string, size int) ([]byte, error) {
	// strconv takes a sign for signed numbers only, Go for all.
	digits := strings.TrimPrefix(text, "+")
	if strings.HasPrefix(text, "-") {
		if v, err := strconv.ParseInt(text, 0, 64); err == nil && v == 0 {
			digits = "0"
		} else if err == nil || errors.Is(err, strconv.ErrRange) {
			return nil, integerError(text, strconv.ErrRange, "uint", size)
		}
	}
	if strings.HasPrefix(digits, "+") {
		return nil, integerError(text, strconv.ErrSyntax, "uint", size)
	}
	v, err := strconv.ParseUint(digits, 0, size*8)
	if err != nil {
		return nil, integerError(text, err, "uint", size)
	}
	return memory(v, size), nil
}

// integerError says what strconv's error means for a type of the given size.
func integerError(text string, err error, family string, size int) error {
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is out of the range of %s%d", text, family, size*8)
	}
	return fmt.Errorf("%q is not an integer", text)
}

func parseBool(text string, _ int) ([]byte, error) {
	switch text {
	case "true":
		return []byte{1}, nil
	case "false":
		return []byte{0}, nil
	}
	return nil, fmt.Errorf("%q is neither true nor false", text)
}

// parseBytes reads hexadecimal digits; want is the number of bytes, -1 for any.
func parseBytes(text string, want int64) ([]byte, error) {
	digits := strings.TrimPrefix(strings.TrimPrefix(text, "0x"), "0X")
	data, err := hex.DecodeString(digits)
	if errors.Is(err, hex.ErrLength) {
		return nil, fmt.Errorf("%q has an odd number of hexadecimal digits", text)
	}
	if err != nil {
		return nil, fmt.Errorf("%q is not hexadecimal", text)
	}
	if want >= 0 && int64(len(data)) != want {
		return nil, fmt.Errorf("%q is %d bytes long, not %d", text, len(data), want)
	}
	return data, nil
}

// memory is the low size bytes of v as they lie in memory.
func memory(v uint64, size int) []byte {
	b := make([]byte, 8)
	switch size {
	case 1:
		b[0] = byte(v)
	case 2:
		order.PutUint16(b, uint16(v))
	case 4:
		order.PutUint32(b, uint32(v))
	case 8:
		order.PutUint64(b, v)
	default:
		panic(fmt.Sprintf("BUG: integer of %d bytes", size))
	}
	return b[:size]
}

func isByte(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Kind() == types.Uint8
}

// name is the type as a reader of its package writes it.
func name(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string { return p.Name() })
}
