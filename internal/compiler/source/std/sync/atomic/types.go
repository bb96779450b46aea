package atomic

// A Bool is an atomic boolean. The zero value is false.
type Bool struct{ v uint32 }

// Load atomically reads x.
func (x *Bool) Load() bool { return load(&x.v) != 0 }

// Store atomically sets x to val.
func (x *Bool) Store(val bool) { swap(&x.v, b32(val)) }

// Swap atomically sets x to new and returns the old value.
func (x *Bool) Swap(new bool) (old bool) { return swap(&x.v, b32(new)) != 0 }

// CompareAndSwap atomically sets x to new if it holds old, and reports whether
// it did.
func (x *Bool) CompareAndSwap(old, new bool) (swapped bool) {
	return CompareAndSwapUint32(&x.v, b32(old), b32(new))
}

func b32(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// An Int32 is an atomic int32. The zero value is zero.
type Int32 struct{ v int32 }

// Load atomically reads x.
func (x *Int32) Load() int32 { return load(&x.v) }

// Store atomically sets x to val.
func (x *Int32) Store(val int32) { swap(&x.v, val) }

// Swap atomically sets x to new and returns the old value.
func (x *Int32) Swap(new int32) (old int32) { return swap(&x.v, new) }

// CompareAndSwap atomically sets x to new if it holds old, and reports whether
// it did.
func (x *Int32) CompareAndSwap(old, new int32) (swapped bool) {
	return CompareAndSwapInt32(&x.v, old, new)
}

// Add atomically adds delta to x and returns the new value.
func (x *Int32) Add(delta int32) (new int32) { return add(&x.v, delta) + delta }

// And atomically sets x to x & mask and returns the old value.
func (x *Int32) And(mask int32) (old int32) { return and(&x.v, mask) }

// Or atomically sets x to x | mask and returns the old value.
func (x *Int32) Or(mask int32) (old int32) { return or(&x.v, mask) }

// An Int64 is an atomic int64. The zero value is zero.
type Int64 struct{ v int64 }

// Load atomically reads x.
func (x *Int64) Load() int64 { return load(&x.v) }

// Store atomically sets x to val.
func (x *Int64) Store(val int64) { swap(&x.v, val) }

// Swap atomically sets x to new and returns the old value.
func (x *Int64) Swap(new int64) (old int64) { return swap(&x.v, new) }

// CompareAndSwap atomically sets x to new if it holds old, and reports whether
// it did.
func (x *Int64) CompareAndSwap(old, new int64) (swapped bool) {
	return CompareAndSwapInt64(&x.v, old, new)
}

// Add atomically adds delta to x and returns the new value.
func (x *Int64) Add(delta int64) (new int64) { return add(&x.v, delta) + delta }

// And atomically sets x to x & mask and returns the old value.
func (x *Int64) And(mask int64) (old int64) { return and(&x.v, mask) }

// Or atomically sets x to x | mask and returns the old value.
func (x *Int64) Or(mask int64) (old int64) { return or(&x.v, mask) }

// A Uint32 is an atomic uint32. The zero value is zero.
type Uint32 struct{ v uint32 }

// Load atomically reads x.
func (x *Uint32) Load() uint32 { return load(&x.v) }

// Store atomically sets x to val.
func (x *Uint32) Store(val uint32) { swap(&x.v, val) }

// Swap atomically sets x to new and returns the old value.
func (x *Uint32) Swap(new uint32) (old uint32) { return swap(&x.v, new) }

// CompareAndSwap atomically sets x to new if it holds old, and reports whether
// it did.
func (x *Uint32) CompareAndSwap(old, new uint32) (swapped bool) {
	return CompareAndSwapUint32(&x.v, old, new)
}

// Add atomically adds delta to x and returns the new value.
func (x *Uint32) Add(delta uint32) (new uint32) { return add(&x.v, delta) + delta }

// And atomically sets x to x & mask and returns the old value.
func (x *Uint32) And(mask uint32) (old uint32) { return and(&x.v, mask) }

// Or atomically sets x to x | mask and returns the old value.
func (x *Uint32) Or(mask uint32) (old uint32) { return or(&x.v, mask) }

// A Uint64 is an atomic uint64. The zero value is zero.
type Uint64 struct{ v uint64 }

// Load atomically reads x.
func (x *Uint64) Load() uint64 { return load(&x.v) }

// Store atomically sets x to val.
func (x *Uint64) Store(val uint64) { swap(&x.v, val) }

// Swap atomically sets x to new and returns the old value.
func (x *Uint64) Swap(new uint64) (old uint64) { return swap(&x.v, new) }

// CompareAndSwap atomically sets x to new if it holds old, and reports whether
// it did.
func (x *Uint64) CompareAndSwap(old, new uint64) (swapped bool) {
	return CompareAndSwapUint64(&x.v, old, new)
}

// Add atomically adds delta to x and returns the new value.
func (x *Uint64) Add(delta uint64) (new uint64) { return add(&x.v, delta) + delta }

// And atomically sets x to x & mask and returns the old value.
func (x *Uint64) And(mask uint64) (old uint64) { return and(&x.v, mask) }

// Or atomically sets x to x | mask and returns the old value.
func (x *Uint64) Or(mask uint64) (old uint64) { return or(&x.v, mask) }

// A Uintptr is an atomic uintptr. The zero value is zero.
type Uintptr struct{ v uintptr }

// Load atomically reads x.
func (x *Uintptr) Load() uintptr { return load(&x.v) }

// Store atomically sets x to val.
func (x *Uintptr) Store(val uintptr) { swap(&x.v, val) }

// Swap atomically sets x to new and returns the old value.
func (x *Uintptr) Swap(new uintptr) (old uintptr) { return swap(&x.v, new) }

// CompareAndSwap atomically sets x to new if it holds old, and reports whether
// it did.
func (x *Uintptr) CompareAndSwap(old, new uintptr) (swapped bool) {
	return CompareAndSwapUintptr(&x.v, old, new)
}

// Add atomically adds delta to x and returns the new value.
func (x *Uintptr) Add(delta uintptr) (new uintptr) { return add(&x.v, delta) + delta }

// And atomically sets x to x & mask and returns the old value.
func (x *Uintptr) And(mask uintptr) (old uintptr) { return and(&x.v, mask) }

// Or atomically sets x to x | mask and returns the old value.
func (x *Uintptr) Or(mask uintptr) (old uintptr) { return or(&x.v, mask) }
