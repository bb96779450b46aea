package load

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"unsafe"

	"github.com/cilium/ebpf/btf"
)

// span is a run of bytes of a type.
type span struct{ offset, size uintptr }

// shape is what must be known of a Go type whose values are exchanged with
// the kernel byte by byte.
type shape struct {
	typ reflect.Type
	// leaves are the scalars, in the order of their offsets.
	leaves []leaf
	// holes are the bytes that no named field covers. The compiler may leave
	// anything in them, so they are zeroed on the way into the kernel, which
	// compares keys byte by byte.
	holes []span
}

type leaf struct {
	span
	path string // "Flow.Addr[3]"
	// bytes marks an array of bytes, or one too large to take apart.
	bytes bool
}

// shapeOf describes T, or says why its values cannot be exchanged.
func shapeOf[T any]() (*shape, error) {
	t := reflect.TypeFor[T]()
	s := &shape{typ: t}
	return s, s.measure()
}

// measure fills in what there is to know of the shape's type.
func (s *shape) measure() error {
	if err := s.add(s.typ, 0, s.typ.String()); err != nil {
		return err
	}
	end := uintptr(0)
	for _, l := range s.leaves {
		if l.offset > end {
			s.holes = append(s.holes, span{end, l.offset - end})
		}
		end = l.offset + l.size
	}
	if s.typ.Size() > end {
		s.holes = append(s.holes, span{end, s.typ.Size() - end})
	}
	return nil
}

// maxLeaves bounds the work for large arrays: what is beyond is of the same
// element type as what is before.
const maxLeaves = 4096

func (s *shape) add(t reflect.Type, offset uintptr, path string) error {
	switch t.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Uint8, reflect.Int16, reflect.Uint16,
		reflect.Int32, reflect.Uint32, reflect.Int64, reflect.Uint64, reflect.Float32, reflect.Float64:
	case reflect.Int, reflect.Uint, reflect.Uintptr:
		if strconv.IntSize != 64 {
			return fmt.Errorf("%s is %s, which has 8 bytes in the kernel and %d here: give it a size", path, t, t.Size())
		}
	case reflect.Array:
		return s.addArray(t, offset, path)
	case reflect.Struct:
		return s.addStruct(t, offset, path)
	default:
		return fmt.Errorf("%s is %s, which has no fixed bytes: use integers, arrays and structs of them", path, describeKind(t))
	}
	s.leaves = append(s.leaves, leaf{span{offset, t.Size()}, path, false})
	return nil
}

func describeKind(t reflect.Type) string {
	if t.Kind().String() == t.String() {
		return t.String()
	}
	return fmt.Sprintf("%s (%s)", t, t.Kind())
}

func (s *shape) addArray(t reflect.Type, offset uintptr, path string) error {
	elem := t.Elem()
	if isByte(elem) || len(s.leaves)+t.Len() > maxLeaves {
		// One leaf for all of it: bytes fit whatever the kernel keeps there.
		if err := (&shape{}).add(elem, offset, path+"[0]"); err != nil {
			return err
		}
		s.leaves = append(s.leaves, leaf{span{offset, t.Size()}, path, true})
		return nil
	}
	for i := range t.Len() {
		if err := s.add(elem, offset+uintptr(i)*elem.Size(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	return nil
}

func isByte(t reflect.Type) bool {
	return t.Kind() == reflect.Uint8 || t.Kind() == reflect.Int8 || t.Kind() == reflect.Bool
}

func (s *shape) addStruct(t reflect.Type, offset uintptr, path string) error {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			continue // padding spelt out: a hole all the same
		}
		if err := s.add(f.Type, offset+f.Offset, path+"."+f.Name); err != nil {
			return err
		}
	}
	return nil
}

// bytesOf is the memory of a value.
func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

// clean zeroes the holes of a value in memory.
func (s *shape) clean(b []byte) {
	for _, h := range s.holes {
		clear(b[h.offset : h.offset+h.size])
	}
}

// checkSize compares with the size the kernel has.
func (s *shape) checkSize(kernel uint32) error {
	if s.typ.Size() != uintptr(kernel) {
		return fmt.Errorf("%s has %d bytes, the kernel's has %d", s.typ, s.typ.Size(), kernel)
	}
	return nil
}

// check compares with the object's type, if it is known: a scalar must lie
// just where a scalar of the same size lies on the other side, or within an
// array of bytes; and arrays of bytes must not half cover each other. That is
// what goes wrong if a struct is declared twice and only one declaration grows
// a field, or padding is forgotten. Unions are not looked into.
func (s *shape) check(t btf.Type) error {
	size, err := btf.Sizeof(t)
	if _, void := t.(*btf.Void); void || err != nil {
		return nil // not known
	}
	if err := s.checkSize(uint32(size)); err != nil {
		return err
	}
	var scalars kernelScalars
	if err := scalars.add(t, 0, ""); err != nil {
		return nil
	}
	for _, l := range s.leaves {
		for _, k := range scalars {
			if l.conflicts(k) {
				return fmt.Errorf("%s has %d bytes at offset %d, the object's type has %q, %d bytes at offset %d",
					l.path, l.size, l.offset, k.path, k.size, k.offset)
			}
		}
	}
	return nil
}

// conflicts reports whether two leaves of the same memory contradict.
func (l *leaf) conflicts(k leaf) bool {
	switch {
	case l.offset >= k.offset+k.size || k.offset >= l.offset+l.size:
		return false
	case !l.bytes && !k.bytes:
		return l.span != k.span
	}
	return !l.contains(k.span) && !k.contains(l.span)
}

func (s span) contains(t span) bool {
	return s.offset <= t.offset && t.offset+t.size <= s.offset+s.size
}

// kernelScalars lists the scalars of a type of the object.
type kernelScalars []leaf

var errTooManyScalars = errors.New("too many scalars")

func (k *kernelScalars) add(t btf.Type, offset uintptr, path string) error {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		for _, m := range t.Members {
			if m.BitfieldSize > 0 {
				continue
			}
			if err := k.add(m.Type, offset+uintptr(m.Offset.Bytes()), joinPath(path, m.Name)); err != nil {
				return err
			}
		}
	case *btf.Array:
		size, err := btf.Sizeof(t.Type)
		if err != nil {
			return err
		}
		if size <= 1 {
			*k = append(*k, leaf{span{offset, uintptr(size) * uintptr(t.Nelems)}, path, true})
			return nil
		}
		for i := range uintptr(t.Nelems) {
			if err := k.add(t.Type, offset+i*uintptr(size), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case *btf.Int, *btf.Enum, *btf.Pointer, *btf.Float:
		size, err := btf.Sizeof(t)
		if err != nil {
			return err
		}
		if len(*k) >= maxLeaves {
			return errTooManyScalars
		}
		*k = append(*k, leaf{span{offset, uintptr(size)}, path, false})
	}
	return nil
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
