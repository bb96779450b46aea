package funcs

func FromInt8(x int8) (uint8, int16, uint16, int32, uint32, int64, uint64) {
	return uint8(x), int16(x), uint16(x), int32(x), uint32(x), int64(x), uint64(x)
}

func FromUint8(x uint8) (int8, int16, uint16, int32, uint32, int64, uint64) {
	return int8(x), int16(x), uint16(x), int32(x), uint32(x), int64(x), uint64(x)
}

func FromInt16(x int16) (int8, uint8, uint16, int32, uint32, int64, uint64) {
	return int8(x), uint8(x), uint16(x), int32(x), uint32(x), int64(x), uint64(x)
}

func FromUint16(x uint16) (int8, uint8, int16, int32, uint32, int64, uint64) {
	return int8(x), uint8(x), int16(x), int32(x), uint32(x), int64(x), uint64(x)
}

func FromInt32(x int32) (int8, uint8, int16, uint16, uint32, int64, uint64) {
	return int8(x), uint8(x), int16(x), uint16(x), uint32(x), int64(x), uint64(x)
}

func FromUint32(x uint32) (int8, uint8, int16, uint16, int32, int64, uint64) {
	return int8(x), uint8(x), int16(x), uint16(x), int32(x), int64(x), uint64(x)
}

func FromInt64(x int64) (int8, uint8, int16, uint16, int32, uint32, uint64) {
	return int8(x), uint8(x), int16(x), uint16(x), int32(x), uint32(x), uint64(x)
}

func FromUint64(x uint64) (int8, uint8, int16, uint16, int32, uint32, int64) {
	return int8(x), uint8(x), int16(x), uint16(x), int32(x), uint32(x), int64(x)
}

// ThereAndBack narrows and widens with changing signs.
func ThereAndBack(x int64) (int64, int64, int64, uint64, uint64, uint64) {
	return int64(int8(x)), int64(int16(uint8(x))), int64(int32(int16(x))),
		uint64(uint8(int16(x))), uint64(int32(uint16(x))), uint64(uint32(int8(x)))
}

func NarrowSums(a, b uint8, c, d int16) (uint32, int32, uint64, int64) {
	return uint32(a + b), int32(c + d), uint64(uint8(c) - a), int64(int8(a*b) + int8(d))
}

func NarrowCompare(x, y uint64) (bool, bool, bool, bool) {
	return uint8(x) == uint8(y), int8(x) < int8(y), uint16(x+y) > uint16(x), int32(x-y) <= 0
}

type (
	celsius int16
	port    uint16
	flags   uint8
)

const (
	flagA flags = 1 << iota
	flagB
	flagC
)

func (f flags) has(x flags) bool { return f&x == x }

func NamedTypes(c celsius, p port, f flags) (celsius, port, bool, flags, int) {
	if f.has(flagA | flagC) {
		c = -c
	}
	return c*9/5 + 32, p ^ port(c), f.has(flagB), f &^ flagB, int(c) + int(p)
}

func BoolToInt(a, b bool) (n uint8) {
	if a {
		n |= 1
	}
	if b {
		n |= 2
	}
	return n
}

func UintptrMath(x uintptr, y uint32) (uintptr, uint64) { return x + uintptr(y), uint64(x >> 3) }
