package sim

import (
	"reflect"
	"sync"
	"unsafe"
)

// BytesOf returns the bytes of *p as the kernel sees them: padding is zero.
func BytesOf[T any](p *T) []byte {
	var zero T
	b := make([]byte, unsafe.Sizeof(zero))
	copy(b, unsafe.Slice((*byte)(unsafe.Pointer(p)), len(b)))
	for _, i := range holes(reflect.TypeFor[T]()) {
		b[i] = 0
	}
	return b
}

var holeCache sync.Map // reflect.Type -> []int

// holes returns the offsets of t's padding bytes.
func holes(t reflect.Type) []int {
	if h, ok := holeCache.Load(t); ok {
		return h.([]int)
	}
	used := make([]bool, t.Size())
	markUsed(t, used)
	var h []int
	for i, u := range used {
		if !u {
			h = append(h, i)
		}
	}
	holeCache.Store(t, h)
	return h
}

func markUsed(t reflect.Type, used []bool) {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			markUsed(f.Type, used[f.Offset:f.Offset+f.Type.Size()])
		}
	case reflect.Array:
		size := t.Elem().Size()
		for i := range uintptr(t.Len()) {
			markUsed(t.Elem(), used[i*size:(i+1)*size])
		}
	default:
		for i := range used {
			used[i] = true
		}
	}
}

// Memory returns the memory of *p, to write to.
func Memory[T any](p *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p)) }
