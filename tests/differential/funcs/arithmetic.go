package funcs

type signed interface {
	~int8 | ~int16 | ~int32 | ~int64
}

type unsigned interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

type integer interface{ signed | unsigned }

func divMod[T integer](a, b T) (T, T) { return a / b, a % b }

func DivMod8(a, b int8) (int8, int8)         { return divMod(a, b) }
func DivMod16(a, b int16) (int16, int16)     { return divMod(a, b) }
func DivMod32(a, b int32) (int32, int32)     { return divMod(a, b) }
func DivMod64(a, b int64) (int64, int64)     { return divMod(a, b) }
func DivModU8(a, b uint8) (uint8, uint8)     { return divMod(a, b) }
func DivModU16(a, b uint16) (uint16, uint16) { return divMod(a, b) }
func DivModU32(a, b uint32) (uint32, uint32) { return divMod(a, b) }
func DivModU64(a, b uint64) (uint64, uint64) { return divMod(a, b) }

// QuotientUsed8 looks at the quotient's bits in every way that cares for what
// lies above them.
func QuotientUsed8(a, b int8) (bool, uint64, int64, uint8, int8, [16]byte) {
	q := a / b
	var text [16]byte
	text[uint8(q)&15] = uint8(q)
	return q < 0, uint64(uint8(q)), int64(q), uint8(q) >> 1, q >> 1, text
}

func QuotientUsed16(a, b int16) (bool, uint64, int64, uint16, int16) {
	q, r := a/b, a%b
	return q == -32768, uint64(uint16(q)), int64(q), uint16(q) / 3, q >> (uint16(r) & 7)
}

func basics[T integer](a, b T) (T, T, T, T, T, T, T) {
	return a + b, a - b, a * b, a & b, a | b, a ^ b, a &^ b
}

func Basics8(a, b int8) (int8, int8, int8, int8, int8, int8, int8) { return basics(a, b) }
func Basics16(a, b uint16) (uint16, uint16, uint16, uint16, uint16, uint16, uint16) {
	return basics(a, b)
}
func Basics32(a, b int32) (int32, int32, int32, int32, int32, int32, int32) { return basics(a, b) }
func Basics64(a, b uint64) (uint64, uint64, uint64, uint64, uint64, uint64, uint64) {
	return basics(a, b)
}

func compare[T integer](a, b T) (r [8]bool) {
	r[0], r[1], r[2], r[3], r[4], r[5] = a < b, a <= b, a > b, a >= b, a == b, a != b
	r[6] = a < 0
	r[7] = a > 100
	return r
}

func Compare8(a, b int8) [8]bool     { return compare(a, b) }
func CompareU8(a, b uint8) [8]bool   { return compare(a, b) }
func Compare16(a, b int16) [8]bool   { return compare(a, b) }
func CompareU16(a, b uint16) [8]bool { return compare(a, b) }
func Compare32(a, b int32) [8]bool   { return compare(a, b) }
func CompareU32(a, b uint32) [8]bool { return compare(a, b) }
func Compare64(a, b int64) [8]bool   { return compare(a, b) }
func CompareU64(a, b uint64) [8]bool { return compare(a, b) }

// Wrap8 chains arithmetic whose upper bits would show if they were kept.
func Wrap8(a, b uint8) (uint8, bool, uint32) {
	s := a + b
	d := a - b
	p := a * b
	return s/3 + d%7, s < a, uint32(p)>>2 + uint32(d>>1)
}

func Wrap16(a, b int16) (int16, bool, int64, uint64) {
	s := a + b
	p := a * b
	return s / 5, (s < a) == (b < 0), int64(p), uint64(uint16(p - s))
}

func Wrap32(a, b int32) (int64, uint64, bool) {
	s := a + b
	return int64(s), uint64(uint32(a * b)), s > a
}

func Unary(a int8, b uint16, c int32, d uint64, e bool) (int8, uint16, int32, uint64, int8, uint16, int32, uint64, bool) {
	return -a, -b, -c, -d, ^a, ^b, ^c, ^d, !e
}

func UnaryWide(a int8, b uint16) (int64, uint64, int64, uint64) {
	return int64(-a), uint64(-b), int64(^a), uint64(^b)
}

func ConstDivisors(a int32, b uint32) (r [10]int64) {
	r[0] = int64(a / 3)
	r[1] = int64(a % 3)
	r[2] = int64(a / 8)
	r[3] = int64(a % 8)
	r[4] = int64(a / -7)
	r[5] = int64(a % -7)
	r[6] = int64(b / 10)
	r[7] = int64(b % 10)
	r[8] = int64(b / 64)
	r[9] = int64(b % 64)
	return r
}

func ConstDivisors8(a int8, b uint8) (int8, int8, int8, int8, int8, int8, uint8, uint8) {
	return a / 2, a % 2, a / -1, a % -128, a / -128, a / 1, b / 200, b % 200
}

func ConstDivisors64(a int64, b uint64) (int64, int64, int64, int64, int64, uint64, uint64) {
	return a / 1000000007, a % 1000000007, a / (1 << 40), a % (1 << 40), a / -9223372036854775808, b / 10, b % 1000000000000
}

func Abs(a int16) (int16, uint16) {
	if a < 0 {
		a = -a
	}
	return a, uint16(a)
}

func FloorMod(a, b int64) int64 {
	m := a % b
	if m != 0 && (m < 0) != (b < 0) {
		m += b
	}
	return m
}

func GCD(a, b uint32) uint32 {
	for range 64 {
		if b == 0 {
			break
		}
		a, b = b, a%b
	}
	return a
}

func IntSqrt(n uint32) uint32 {
	var root uint32
	bit := uint32(1) << 30
	for bit > n {
		bit >>= 2
	}
	for bit != 0 {
		if n >= root+bit {
			n -= root + bit
			root = root>>1 + bit
		} else {
			root >>= 1
		}
		bit >>= 2
	}
	return root
}

func PowMod(base, exp, mod uint32) uint32 {
	r := uint64(1)
	b := uint64(base)
	for range 32 {
		if exp&1 != 0 {
			r = r * b % uint64(mod)
		}
		b = b * b % uint64(mod)
		exp >>= 1
	}
	return uint32(r)
}

func SaturatingAdd(a, b int32) int32 {
	s := a + b
	switch {
	case a > 0 && b > 0 && s < 0:
		return 1<<31 - 1
	case a < 0 && b < 0 && s >= 0:
		return -1 << 31
	}
	return s
}

func AverageNoOverflow(a, b uint64) (uint64, int64) {
	return a&b + (a^b)>>1, (int64(a) + int64(b)) / 2
}

func IncDec(a int8, b uint8) (int8, uint8, bool) {
	a++
	b--
	a += int8(b)
	b -= uint8(a)
	a *= 3
	b <<= 1
	a %= 10
	b |= 0x81
	return a, b, a < 0 != (b > 128)
}

func MinMax(a, b int8, c, d uint32, e int64) (int8, int8, uint32, uint32, int64) {
	return min(a, b), max(a, b, 5), min(c, d, 1000), max(c, d), min(max(e, -10), int64(a))
}

func Clamp(x int64) int16 { return int16(max(-32768, min(x, 32767))) }
