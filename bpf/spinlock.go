package bpf

import (
	"runtime"
	"sync/atomic"
)

// SpinLock guards the map value that it is a field of: a struct with one
// SpinLock, in a Hash or Array. Between Lock and Unlock a program may call no
// helper and take no other lock. Needs Linux 5.1.
//
//bpf:btf bpf_spin_lock
type SpinLock struct {
	val uint32
}

// Lock waits for the lock.
//
//bpf:helper spin_lock(l)
func (l *SpinLock) Lock() {
	for tries := 0; !atomic.CompareAndSwapUint32(&l.val, 0, 1); tries++ {
		if tries == 1<<20 {
			panic("bpf: SpinLock.Lock waits for a lock that nobody gives back")
		}
		runtime.Gosched()
	}
}

// Unlock gives the lock back.
//
//bpf:helper spin_unlock(l)
func (l *SpinLock) Unlock() {
	if !atomic.CompareAndSwapUint32(&l.val, 1, 0) {
		panic("bpf: SpinLock.Unlock of a lock that is not held")
	}
}
