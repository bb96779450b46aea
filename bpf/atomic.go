package bpf

import (
	"sync/atomic"
	"unsafe"
)

// Word is the set of types that atomic operations work on.
type Word interface {
	~uint32 | ~int32 | ~uint64 | ~int64
}

// AtomicAdd adds v to *p and returns the value before. When the result is
// unused this is one instruction on every kernel; using it needs Linux 5.12,
// like all other atomic operations here.
//
//bpf:intrinsic atomic.add
func AtomicAdd[T Word](p *T, v T) T {
	if unsafe.Sizeof(v) == 4 {
		return T(atomic.AddUint32((*uint32)(unsafe.Pointer(p)), uint32(v)) - uint32(v))
	}
	return T(atomic.AddUint64((*uint64)(unsafe.Pointer(p)), uint64(v)) - uint64(v))
}

// AtomicAnd sets *p to *p & v and returns the value before.
//
//bpf:intrinsic atomic.and
func AtomicAnd[T Word](p *T, v T) T {
	if unsafe.Sizeof(v) == 4 {
		return T(atomic.AndUint32((*uint32)(unsafe.Pointer(p)), uint32(v)))
	}
	return T(atomic.AndUint64((*uint64)(unsafe.Pointer(p)), uint64(v)))
}

// AtomicOr sets *p to *p | v and returns the value before.
//
//bpf:intrinsic atomic.or
func AtomicOr[T Word](p *T, v T) T {
	if unsafe.Sizeof(v) == 4 {
		return T(atomic.OrUint32((*uint32)(unsafe.Pointer(p)), uint32(v)))
	}
	return T(atomic.OrUint64((*uint64)(unsafe.Pointer(p)), uint64(v)))
}

// AtomicXor sets *p to *p ^ v and returns the value before.
//
//bpf:intrinsic atomic.xor
func AtomicXor[T Word](p *T, v T) T {
	for {
		old := AtomicAdd(p, 0)
		if AtomicCompareExchange(p, old, old^v) == old {
			return old
		}
	}
}

// AtomicExchange sets *p to v and returns the value before.
//
//bpf:intrinsic atomic.xchg
func AtomicExchange[T Word](p *T, v T) T {
	if unsafe.Sizeof(v) == 4 {
		return T(atomic.SwapUint32((*uint32)(unsafe.Pointer(p)), uint32(v)))
	}
	return T(atomic.SwapUint64((*uint64)(unsafe.Pointer(p)), uint64(v)))
}

// AtomicCompareExchange sets *p to v if it holds old, and returns the value it
// found: the exchange took place if that is old.
//
//bpf:intrinsic atomic.cmpxchg
func AtomicCompareExchange[T Word](p *T, old, v T) T {
	for {
		found := AtomicAdd(p, 0)
		if found != old || compareAndSwap(p, old, v) {
			return found
		}
	}
}

func compareAndSwap[T Word](p *T, old, v T) bool {
	if unsafe.Sizeof(v) == 4 {
		return atomic.CompareAndSwapUint32((*uint32)(unsafe.Pointer(p)), uint32(old), uint32(v))
	}
	return atomic.CompareAndSwapUint64((*uint64)(unsafe.Pointer(p)), uint64(old), uint64(v))
}
