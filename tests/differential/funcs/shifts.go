package funcs

func shiftBy[T integer, N unsigned](x T, n N) (T, T) { return x << n, x >> n }

func Shift8(x int8, n uint8) (int8, int8)          { return shiftBy(x, n) }
func ShiftU8(x uint8, n uint16) (uint8, uint8)     { return shiftBy(x, n) }
func Shift16(x int16, n uint32) (int16, int16)     { return shiftBy(x, n) }
func ShiftU16(x uint16, n uint64) (uint16, uint16) { return shiftBy(x, n) }
func Shift32(x int32, n uint8) (int32, int32)      { return shiftBy(x, n) }
func ShiftU32(x uint32, n uint64) (uint32, uint32) { return shiftBy(x, n) }
func Shift64(x int64, n uint64) (int64, int64)     { return shiftBy(x, n) }
func ShiftU64(x uint64, n uint8) (uint64, uint64)  { return shiftBy(x, n) }

func signedShift[T integer, N signed](x T, n N) (T, T) { return x << n, x >> n }

// Shifts by negative counts fault.
func SignedShift8(x int8, n int8) (int8, int8)         { return signedShift(x, n) }
func SignedShift32(x uint32, n int64) (uint32, uint32) { return signedShift(x, n) }
func SignedShift64(x int64, n int16) (int64, int64)    { return signedShift(x, n) }

func MaskedShift(x uint64, y int32, n uint) (uint64, uint64, int32, int32) {
	return x << (n & 63), x >> (n & 63), y << (n & 31), y >> (n & 31)
}

func ShiftConst(a int8, b uint16, c int32, d uint64) (int8, int8, int8, uint16, uint16, int32, int32, int32, uint64, uint64) {
	return a << 3, a >> 3, a >> 7, b << 9, b >> 15, c << 31, c >> 31, c >> 1, d << 63, d >> 1
}

func ShiftConstTooFar(a int8, b uint16, n uint8) (int8, int8, uint16, int8) {
	far := 8 + n&1
	return a << far, a >> far, b >> (far + 8), a >> (n | 0x80)
}

func ShiftOfOne(n uint) (uint64, uint32, int64, uint8) { return 1 << n, 1 << n, -1 << n, 1 << n >> 1 }

// ShiftBool shifts by a count that a condition makes.
func ShiftBool(x uint32, big bool) uint32 {
	n := 4
	if big {
		n = 40
	}
	return x>>n | x<<(n/2)
}

func NarrowThenShift(x uint64) (uint8, int8, uint16, int64) {
	a := uint8(x)
	b := int8(x)
	return a >> 2, b >> 2, uint16(a) << 7, int64(b) << 3
}

func Interleave(x, y uint16) (z uint32) {
	for i := range 16 {
		z |= uint32(x&(1<<i))<<i | uint32(y&(1<<i))<<(i+1)
	}
	return z
}

func SignExtendBits(x uint32, n uint8) int32 {
	shift := 32 - (n&31 + 1)
	return int32(x<<shift) >> shift
}

func RotateByHand(x uint32, n uint8) uint32 { return x<<(n&31) | x>>(-n&31) }

// ShiftOfShift shifts by a constant without a type that is shifted itself: as a
// shift count it is a uint.
func ShiftOfShift(x uint8, y int64, z uint8) (int64, uint8, int64, int) {
	return y >> (1 << (x & 7)), z >> (1<<(x&3) + 1), y << (255 << x), 1 << (1 << (1 << uint(x&3)))
}

func ShiftByShift(x uint8, y int64) int64 { return y >> (1 << x) }

// ShiftOfComparison compares, indexes and slices with constants without a type.
func ShiftOfComparison(x, y uint8, a [8]uint8) (bool, bool, uint8, int) {
	return 1<<x == y, 1<<x == 2<<31, a[1<<(x&3)-1], len(a[1<<(x&3):])
}
