// Package cmp is the kernel-side twin of cmp. Kernel code has no floats, so the
// rules about NaN are left out.
package cmp

// Ordered is the set of types that the operator < compares, strings and floats
// left out.
type Ordered interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 |
		~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr
}

// Less reports whether x is less than y.
func Less[T Ordered](x, y T) bool { return x < y }

// Compare returns -1 if x is less than y, 0 if they are equal, else +1.
func Compare[T Ordered](x, y T) int {
	if x < y {
		return -1
	}
	if x > y {
		return +1
	}
	return 0
}

// Or returns the first of its arguments that is not the zero value.
func Or[T comparable](vals ...T) T {
	var zero T
	for _, v := range vals {
		if v != zero {
			return v
		}
	}
	return zero
}
