//go:build !waggle

package atomic

import (
	"sync/atomic"
	"unsafe"
)

// update does to *p what f says and returns the value before. It is the native
// form of all operations.
func update[T word](p *T, f func(T) T) T {
	if unsafe.Sizeof(*p) == 4 {
		p := (*uint32)(unsafe.Pointer(p))
		for {
			old := atomic.LoadUint32(p)
			if atomic.CompareAndSwapUint32(p, old, uint32(f(T(old)))) {
				return T(old)
			}
		}
	}
	q := (*uint64)(unsafe.Pointer(p))
	for {
		old := atomic.LoadUint64(q)
		if atomic.CompareAndSwapUint64(q, old, uint64(f(T(old)))) {
			return T(old)
		}
	}
}
