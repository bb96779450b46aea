package funcs

func ArrayCopy(a [4]uint32, i, j uint8) ([4]uint32, [4]uint32) {
	b := a
	b[i&3], b[j&3] = b[j&3]+1, b[i&3]+2
	return a, b
}

func ArrayEqual(a, b [3]uint16, c [3]uint16) (bool, bool, bool) {
	a[1] = b[1]
	return a == b, a != c, b == c
}

func ArrayEqualLarge(a [40]byte, i uint8, v byte) (bool, bool) {
	b := a
	b[i%40] = v
	return a == b, a != b
}

func IndexAny(a [7]int32, i int8) int32 { return a[i] }

func IndexUnsigned(a [7]int32, i uint64) int32 { return a[i] }

func StoreAny(a *[6]uint16, i int, v uint16) { a[i] = v }

func IndexBytes(a [13]byte, i, j uint8) (byte, byte) { return a[i%13], a[j&7] }

func Matrix(a, b [2][2]int32) (c [2][2]int32) {
	for i := range 2 {
		for j := range 2 {
			for k := range 2 {
				c[i][j] += a[i][k] * b[k][j]
			}
		}
	}
	return c
}

func Matrix3(m [3][3]int16, i, j uint8) (trace int32, at int16, row [3]int16) {
	for k := range m {
		trace += int32(m[k][k])
	}
	m[i%3][j%3] = -1
	return trace, m[j%3][i%3], m[i%3]
}

func Histogram(data [12]byte) (h [8]uint8) {
	for _, b := range data {
		h[b>>5]++
	}
	return h
}

func PrefixSums(a [6]uint8) (s [7]uint16) {
	for i, v := range a {
		s[i+1] = s[i] + uint16(v)
	}
	return s
}

func WindowMax(a [8]int16, w uint8) (out [8]int16) {
	width := int(w%4) + 1
	for i := range a {
		m := a[i]
		for k := 1; k < width && i+k < len(a); k++ {
			m = max(m, a[i+k])
		}
		out[i] = m
	}
	return out
}

func Sieve(limit uint8) (primes int) {
	var composite [20]bool
	for i := 2; i < len(composite); i++ {
		if composite[i] {
			continue
		}
		if i <= int(limit) {
			primes++
		}
		for j := i * 2; j < len(composite); j += i {
			composite[j] = true
		}
	}
	return primes
}

func Rotate(a [5]int8, n uint8) (out [5]int8) {
	for i := range a {
		out[(i+int(n))%len(out)] = a[i]
	}
	return out
}

func ZeroValues(i uint8) (int, bool, [3]uint8, point) {
	var a [4]int
	var b [3]bool
	var c [3]uint8
	var p point
	a[i&3] = int(i)
	b[i%3] = i > 5
	return a[1] + a[2], b[0], c, p
}

func ArrayOfArraysCopy(a [3][2]uint8, i uint8) (b [3][2]uint8, same bool) {
	b = a
	row := b[i%3]
	row[0]++
	b[2] = row
	return b, b == a
}

func ArrayLiteral(x uint8) ([5]uint8, int) {
	a := [...]uint8{1: x, 3: x + 1, 4: 9}
	return a, len(a)
}

func PackedArrays(a [2]uint8, b [3]uint8, c [7]uint8, i uint8) ([2]uint8, [3]uint8, [7]uint8, uint8) {
	a[i&1]++
	b[i%3] = a[0]
	c[i%7] = b[1]
	return a, b, c, c[(i+1)%7]
}

func ArrayPhi(cond bool, a, b [3]uint32) (uint32, [3]uint32) {
	x := a
	if cond {
		x = b
	}
	x[1] += 7
	return x[0] ^ x[2], x
}

func ArrayPhiLoop(n uint8, a, b [12]uint16) (sum uint32) {
	x, y := a, b
	for i := range n & 7 {
		x, y = y, x
		x[i]++
	}
	for i := range x {
		sum = sum*31 + uint32(x[i])<<1 + uint32(y[i])
	}
	return sum
}

// wide is an array that is kept in memory.
type wide [70]byte

func LargePhi(cond bool, a, b wide, i uint8) (wide, byte) {
	x := a
	if cond {
		x = b
	}
	return x, pickByte(x, i)
}

func pickByte(w wide, i uint8) byte { return w[i%70] }

// LargePhiLoop swaps large values on every turn, which no one may see halfway.
func LargePhiLoop(n uint8, a, b [21]uint16) ([21]uint16, uint16) {
	x, y := a, b
	last := uint16(0)
	for range n & 7 {
		x, y = y, x
		last = firstWord(y)
	}
	return x, last
}

func firstWord(w [21]uint16) uint16 { return w[0] ^ w[20] }

// LargeResults returns several large values.
func LargeResults(a wide, n uint8) (wide, bool, wide) {
	b, c, d := twoLarge(a, n)
	b[n%70] = 1
	return d, c, b
}

//bpf:noinline
func twoLarge(a wide, n uint8) (wide, bool, wide) {
	b := a
	b[n%70]++
	return a, a == b, b
}

func DotProduct(a, b [8]int32) (dot int64) {
	for i := range a {
		dot += int64(a[i]) * int64(b[i])
	}
	return dot
}

func Transpose(m *[4][3]uint8) (t [3][4]uint8) {
	for i := range m {
		for j, v := range m[i] {
			t[j][i] = v
		}
	}
	return t
}

func FindByte(a [24]byte, x byte) int {
	for i, b := range a {
		if b == x {
			return i
		}
	}
	return -1
}

func RunLength(a [5]byte) (out [10]byte, n int) {
	for i := 0; i < len(a); {
		j := i
		for j < len(a) && a[j] == a[i] {
			j++
		}
		if n+1 >= len(out) {
			break
		}
		out[n], out[n+1] = byte(j-i), a[i]
		n += 2
		i = j
	}
	return
}
