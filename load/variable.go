package load

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// Set gives a global variable or constant its value for the next Load. The
// verifier sees the values of constants and leaves out the branches that they
// rule out. The variable NAME of an imported package is called PACKAGE_NAME. The
// value may be
//   - an integer or bool of any Go type, if the variable's type can hold it;
//   - a string, for an array of characters; the rest of it becomes zero;
//   - anything else of just the variable's size: structs and arrays as they
//     lie in memory.
func (o *Object) Set(name string, value any) error {
	v := o.spec.Variables[name]
	if v == nil {
		return fmt.Errorf("set variable %s in %s: %w", name, o.name, o.noVariable())
	}
	data, err := encodeVariable(variableType(v), int(v.Size()), value)
	if err != nil {
		return fmt.Errorf("set variable %s in %s: %w", name, o.name, err)
	}
	// Not in place: a caller may have kept the old one.
	v.Value = data
	return nil
}

func (o *Object) noVariable() error {
	names := make([]string, 0, len(o.spec.Variables))
	for name := range o.spec.Variables {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Errorf("no such variable (it has %s)", list(names))
}

func encodeVariable(t btf.Type, size int, value any) ([]byte, error) {
	rv := reflect.ValueOf(value)
	switch {
	case !rv.IsValid():
		return nil, fmt.Errorf("no value")
	case rv.Kind() == reflect.String:
		return encodeString(t, size, rv.String())
	case rv.CanInt():
		return encodeInteger(t, size, uint64(rv.Int()), rv.Int() < 0)
	case rv.CanUint():
		return encodeInteger(t, size, rv.Uint(), false)
	}
	return encodeMemory(t, size, rv)
}

func encodeString(t btf.Type, size int, text string) ([]byte, error) {
	switch btf.UnderlyingType(t).(type) {
	case *btf.Int, *btf.Enum:
		return nil, fmt.Errorf("%q is no integer", text)
	}
	if len(text) > size {
		return nil, fmt.Errorf("string of %d bytes for an array of %d", len(text), size)
	}
	data := make([]byte, size)
	copy(data, text)
	return data, nil
}

// encodeInteger refuses values that the variable's type cannot hold.
func encodeInteger(t btf.Type, size int, bits uint64, negative bool) ([]byte, error) {
	if size != 1 && size != 2 && size != 4 && size != 8 {
		return nil, fmt.Errorf("an integer for a variable of %d bytes", size)
	}
	if !fitsType(t, bits, size, negative) {
		return nil, fmt.Errorf("value out of range for %s of %d bytes", integerName(t), size)
	}
	data := make([]byte, 8)
	nativeOrder.PutUint64(data, bits)
	if nativeOrder == binary.BigEndian {
		return data[8-size:], nil
	}
	return data[:size], nil
}

// fitsType leaves the choice of signedness to the value if there is no type.
func fitsType(t btf.Type, bits uint64, size int, negative bool) bool {
	if t == nil {
		return fits(bits, size, true, negative) || fits(bits, size, false, negative)
	}
	return fits(bits, size, isSigned(t), negative)
}

func integerName(t btf.Type) string {
	switch {
	case t == nil:
		return "an integer"
	case isSigned(t):
		return "a signed integer"
	}
	return "an unsigned integer"
}

// fits reports whether a value, sign-extended to 64 bits, fits in size bytes.
func fits(bits uint64, size int, signed, negative bool) bool {
	width := 8 * size
	switch {
	case negative && !signed:
		return false
	case negative:
		return int64(bits) >= math.MinInt64>>(64-width)
	case signed && size == 8:
		return bits <= math.MaxInt64
	case signed:
		return bits < 1<<(width-1)
	}
	return size == 8 || bits < 1<<width
}

func isSigned(t btf.Type) bool {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Int:
		return t.Encoding == btf.Signed
	case *btf.Enum:
		return t.Signed
	}
	return false
}

func encodeMemory(t btf.Type, size int, rv reflect.Value) ([]byte, error) {
	s := &shape{typ: rv.Type()}
	if err := s.measure(); err != nil {
		return nil, err
	}
	if t != nil {
		if err := s.check(t); err != nil {
			return nil, err
		}
	}
	if err := s.checkSize(uint32(size)); err != nil {
		return nil, err
	}
	// Only an addressable value has memory to copy.
	box := reflect.New(rv.Type())
	box.Elem().Set(rv)
	data := slices.Clone(unsafe.Slice((*byte)(box.UnsafePointer()), size))
	s.clean(data)
	return data, nil
}

// Variable is a global variable of a loaded object: memory shared with its
// programs.
type Variable[T any] struct {
	v     *ebpf.Variable
	name  string
	shape *shape
}

// VariableOf gives typed access to a global variable of the handle. Constants
// can be read only.
func VariableOf[T any](h *Handle, name string) (*Variable[T], error) {
	v := h.coll.Variables[name]
	if v == nil {
		return nil, fmt.Errorf("open variable %s in %s: %w", name, h.obj.name, h.obj.noVariable())
	}
	s, err := shapeOf[T]()
	if err != nil {
		return nil, fmt.Errorf("open variable %s: %w", name, err)
	}
	if err := s.checkSize(v.Size()); err != nil {
		return nil, fmt.Errorf("open variable %s: %w", name, err)
	}
	if t := v.Type(); t != nil {
		if err := s.check(t.Type); err != nil {
			return nil, fmt.Errorf("open variable %s: %w", name, err)
		}
	}
	return &Variable[T]{v: v, name: name, shape: s}, nil
}

// Get reads the variable. Programs may be writing it: what is larger than a
// word may be read half old, half new.
func (v *Variable[T]) Get() (T, error) {
	var data []byte
	var value T
	if err := v.v.Get(&data); err != nil {
		return value, fmt.Errorf("read variable %s: %w", v.name, err)
	}
	copy(bytesOf(&value), data)
	return value, nil
}

// Set writes the variable; see Get for what running programs may see.
func (v *Variable[T]) Set(value T) error {
	if err := v.v.Set(bytesOf(&value)); err != nil {
		return fmt.Errorf("write variable %s: %w", v.name, err)
	}
	return nil
}
