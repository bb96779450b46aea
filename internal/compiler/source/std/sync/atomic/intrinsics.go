// Package atomic is the kernel-side twin of sync/atomic: its functions on
// integers and its integer types.
package atomic

type word interface {
	~int32 | ~int64 | ~uint32 | ~uint64 | ~uintptr
}

// add adds v to *p and returns the value before.
//
//bpf:intrinsic atomic.add
func add[T word](p *T, v T) T {
	return update(p, func(old T) T { return old + v })
}

// and sets *p to *p & v and returns the value before.
//
//bpf:intrinsic atomic.and
func and[T word](p *T, v T) T {
	return update(p, func(old T) T { return old & v })
}

// or sets *p to *p | v and returns the value before.
//
//bpf:intrinsic atomic.or
func or[T word](p *T, v T) T {
	return update(p, func(old T) T { return old | v })
}

// swap sets *p to v and returns the value before.
//
//bpf:intrinsic atomic.xchg
func swap[T word](p *T, v T) T {
	return update(p, func(T) T { return v })
}

// compareExchange sets *p to v if it holds old, and returns the value it found.
//
//bpf:intrinsic atomic.cmpxchg
func compareExchange[T word](p *T, old, v T) T {
	return update(p, func(found T) T {
		if found == old {
			return v
		}
		return found
	})
}

// load reads *p: a read that the compiler neither repeats, merges nor moves.
//
//bpf:intrinsic atomic.load
func load[T word](p *T) T {
	return update(p, func(old T) T { return old })
}
