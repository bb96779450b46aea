package atomic

// AddInt32 atomically adds delta to *addr and returns the new value.
func AddInt32(addr *int32, delta int32) (new int32) { return add(addr, delta) + delta }

// AndInt32 atomically sets *addr to *addr & mask and returns the old value.
func AndInt32(addr *int32, mask int32) (old int32) { return and(addr, mask) }

// OrInt32 atomically sets *addr to *addr | mask and returns the old value.
func OrInt32(addr *int32, mask int32) (old int32) { return or(addr, mask) }

// SwapInt32 atomically sets *addr to new and returns the old value.
func SwapInt32(addr *int32, new int32) (old int32) { return swap(addr, new) }

// CompareAndSwapInt32 atomically sets *addr to new if it holds old, and reports
// whether it did.
func CompareAndSwapInt32(addr *int32, old, new int32) (swapped bool) {
	return compareExchange(addr, old, new) == old
}

// LoadInt32 atomically reads *addr.
func LoadInt32(addr *int32) (val int32) { return load(addr) }

// StoreInt32 atomically sets *addr to val.
func StoreInt32(addr *int32, val int32) { swap(addr, val) }

// AddInt64 atomically adds delta to *addr and returns the new value.
func AddInt64(addr *int64, delta int64) (new int64) { return add(addr, delta) + delta }

// AndInt64 atomically sets *addr to *addr & mask and returns the old value.
func AndInt64(addr *int64, mask int64) (old int64) { return and(addr, mask) }

// OrInt64 atomically sets *addr to *addr | mask and returns the old value.
func OrInt64(addr *int64, mask int64) (old int64) { return or(addr, mask) }

// SwapInt64 atomically sets *addr to new and returns the old value.
func SwapInt64(addr *int64, new int64) (old int64) { return swap(addr, new) }

// CompareAndSwapInt64 atomically sets *addr to new if it holds old, and reports
// whether it did.
func CompareAndSwapInt64(addr *int64, old, new int64) (swapped bool) {
	return compareExchange(addr, old, new) == old
}

// LoadInt64 atomically reads *addr.
func LoadInt64(addr *int64) (val int64) { return load(addr) }

// StoreInt64 atomically sets *addr to val.
func StoreInt64(addr *int64, val int64) { swap(addr, val) }

// AddUint32 atomically adds delta to *addr and returns the new value.
func AddUint32(addr *uint32, delta uint32) (new uint32) { return add(addr, delta) + delta }

// AndUint32 atomically sets *addr to *addr & mask and returns the old value.
func AndUint32(addr *uint32, mask uint32) (old uint32) { return and(addr, mask) }

// OrUint32 atomically sets *addr to *addr | mask and returns the old value.
func OrUint32(addr *uint32, mask uint32) (old uint32) { return or(addr, mask) }

// SwapUint32 atomically sets *addr to new and returns the old value.
func SwapUint32(addr *uint32, new uint32) (old uint32) { return swap(addr, new) }

// CompareAndSwapUint32 atomically sets *addr to new if it holds old, and reports
// whether it did.
func CompareAndSwapUint32(addr *uint32, old, new uint32) (swapped bool) {
	return compareExchange(addr, old, new) == old
}

// LoadUint32 atomically reads *addr.
func LoadUint32(addr *uint32) (val uint32) { return load(addr) }

// StoreUint32 atomically sets *addr to val.
func StoreUint32(addr *uint32, val uint32) { swap(addr, val) }

// AddUint64 atomically adds delta to *addr and returns the new value.
func AddUint64(addr *uint64, delta uint64) (new uint64) { return add(addr, delta) + delta }

// AndUint64 atomically sets *addr to *addr & mask and returns the old value.
func AndUint64(addr *uint64, mask uint64) (old uint64) { return and(addr, mask) }

// OrUint64 atomically sets *addr to *addr | mask and returns the old value.
func OrUint64(addr *uint64, mask uint64) (old uint64) { return or(addr, mask) }

// SwapUint64 atomically sets *addr to new and returns the old value.
func SwapUint64(addr *uint64, new uint64) (old uint64) { return swap(addr, new) }

// CompareAndSwapUint64 atomically sets *addr to new if it holds old, and reports
// whether it did.
func CompareAndSwapUint64(addr *uint64, old, new uint64) (swapped bool) {
	return compareExchange(addr, old, new) == old
}

// LoadUint64 atomically reads *addr.
func LoadUint64(addr *uint64) (val uint64) { return load(addr) }

// StoreUint64 atomically sets *addr to val.
func StoreUint64(addr *uint64, val uint64) { swap(addr, val) }

// AddUintptr atomically adds delta to *addr and returns the new value.
func AddUintptr(addr *uintptr, delta uintptr) (new uintptr) { return add(addr, delta) + delta }

// AndUintptr atomically sets *addr to *addr & mask and returns the old value.
func AndUintptr(addr *uintptr, mask uintptr) (old uintptr) { return and(addr, mask) }

// OrUintptr atomically sets *addr to *addr | mask and returns the old value.
func OrUintptr(addr *uintptr, mask uintptr) (old uintptr) { return or(addr, mask) }

// SwapUintptr atomically sets *addr to new and returns the old value.
func SwapUintptr(addr *uintptr, new uintptr) (old uintptr) { return swap(addr, new) }

// CompareAndSwapUintptr atomically sets *addr to new if it holds old, and reports
// whether it did.
func CompareAndSwapUintptr(addr *uintptr, old, new uintptr) (swapped bool) {
	return compareExchange(addr, old, new) == old
}

// LoadUintptr atomically reads *addr.
func LoadUintptr(addr *uintptr) (val uintptr) { return load(addr) }

// StoreUintptr atomically sets *addr to val.
func StoreUintptr(addr *uintptr, val uintptr) { swap(addr, val) }
