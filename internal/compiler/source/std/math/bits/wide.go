package bits

// Add returns the sum with carry of x, y and carry, which must be 0 or 1.
func Add(x, y, carry uint) (sum, carryOut uint) {
	s, c := Add64(uint64(x), uint64(y), uint64(carry))
	return uint(s), uint(c)
}

// Add32 returns the sum with carry of x, y and carry, which must be 0 or 1.
func Add32(x, y, carry uint32) (sum, carryOut uint32) {
	s := uint64(x) + uint64(y) + uint64(carry)
	return uint32(s), uint32(s >> 32)
}

// Add64 returns the sum with carry of x, y and carry, which must be 0 or 1.
func Add64(x, y, carry uint64) (sum, carryOut uint64) {
	sum = x + y + carry
	return sum, (x&y | (x|y)&^sum) >> 63
}

// Sub returns the difference of x, y and borrow, which must be 0 or 1.
func Sub(x, y, borrow uint) (diff, borrowOut uint) {
	d, b := Sub64(uint64(x), uint64(y), uint64(borrow))
	return uint(d), uint(b)
}

// Sub32 returns the difference of x, y and borrow, which must be 0 or 1.
func Sub32(x, y, borrow uint32) (diff, borrowOut uint32) {
	diff = x - y - borrow
	return diff, (^x&y | ^(x^y)&diff) >> 31
}

// Sub64 returns the difference of x, y and borrow, which must be 0 or 1.
func Sub64(x, y, borrow uint64) (diff, borrowOut uint64) {
	diff = x - y - borrow
	return diff, (^x&y | ^(x^y)&diff) >> 63
}

// Mul returns the full product of x and y.
func Mul(x, y uint) (hi, lo uint) {
	h, l := Mul64(uint64(x), uint64(y))
	return uint(h), uint(l)
}

// Mul32 returns the full product of x and y.
func Mul32(x, y uint32) (hi, lo uint32) {
	p := uint64(x) * uint64(y)
	return uint32(p >> 32), uint32(p)
}

// Mul64 returns the full product of x and y.
func Mul64(x, y uint64) (hi, lo uint64) {
	const low = 1<<32 - 1
	x0, x1 := x&low, x>>32
	y0, y1 := y&low, y>>32
	mid := x1*y0 + x0*y0>>32
	mid2 := x0*y1 + mid&low
	return x1*y1 + mid>>32 + mid2>>32, x * y
}

// Div returns quotient and remainder of hi:lo divided by y. It is a fault if y
// is 0 or the quotient overflows.
func Div(hi, lo, y uint) (quo, rem uint) {
	q, r := Div64(uint64(hi), uint64(lo), uint64(y))
	return uint(q), uint(r)
}

// Div32 returns quotient and remainder of hi:lo divided by y. It is a fault if y
// is 0 or the quotient overflows.
func Div32(hi, lo, y uint32) (quo, rem uint32) {
	if y != 0 && y <= hi {
		panic("integer overflow")
	}
	z := uint64(hi)<<32 | uint64(lo)
	return uint32(z / uint64(y)), uint32(z % uint64(y))
}

// Div64 returns quotient and remainder of hi:lo divided by y. It is a fault if y
// is 0 or the quotient overflows.
func Div64(hi, lo, y uint64) (quo, rem uint64) {
	if y != 0 && y <= hi {
		panic("integer overflow")
	}
	if hi == 0 {
		return lo / y, lo % y // y may be 0, which is a fault here
	}
	// Two digits of 32 bits, as in Knuth's algorithm D, with y's top bit set.
	s := uint(LeadingZeros64(y))
	y <<= s
	high := hi<<s | lo>>1>>(63-s)
	low := lo << s
	q1, rest := digit(high, low>>32, y)
	q0, rest := digit(rest, low&(1<<32-1), y)
	return q1<<32 | q0, rest >> s
}

// digit divides hi:next by y, where next is a digit of 32 bits, hi is below y and
// y has its top bit set.
func digit(hi, next, y uint64) (quo, rem uint64) {
	const base = 1 << 32
	y1, y0 := y>>32, y&(base-1)
	quo = hi / y1
	rest := hi - quo*y1
	// The estimate is at most two too large.
	for range 2 {
		if rest < base && (quo >= base || quo*y0 > rest<<32|next) {
			quo--
			rest += y1
		}
	}
	return quo, hi<<32 + next - quo*y
}

// Rem returns the remainder of hi:lo divided by y, and doesn't mind if the
// quotient overflows. It is a fault if y is 0.
func Rem(hi, lo, y uint) uint { return uint(Rem64(uint64(hi), uint64(lo), uint64(y))) }

// Rem32 returns the remainder of hi:lo divided by y.
func Rem32(hi, lo, y uint32) uint32 {
	return uint32((uint64(hi)<<32 | uint64(lo)) % uint64(y))
}

// Rem64 returns the remainder of hi:lo divided by y.
func Rem64(hi, lo, y uint64) uint64 {
	_, rem := Div64(hi%y, lo, y)
	return rem
}
