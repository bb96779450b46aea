package funcs

// What bounds an index here is clear, but not to the verifier: it takes the
// results of divisions and of shifts by variable counts for anything at all.

var grid [5][2]int32

func IndexShifted(a uint32, n uint8) (int32, bool) {
	grid[2][1] = int32(a)
	var zero uint32
	row := zero >> n
	k := a >> (n & 31)
	if k > 4 {
		return grid[row][n&1], false
	}
	return grid[k][1] ^ grid[row][0], true
}

func IndexModulo(a uint32, b uint8, c int16) (uint8, uint8, uint8) {
	var t [10]uint8
	if i := a % 20; i < 10 {
		t[i] = 1
	}
	t[b%9]++
	t[a/(1<<31)]--
	t[c%3+2] += 7
	return t[0], t[b%9], t[9]
}

func IndexQuotient(a uint64, text [16]byte) (byte, byte) {
	q := a / 1000
	if q < 16 {
		return text[q], text[15-q]
	}
	return text[q%16], text[a%7]
}

// LoopSlice moves a slice on in a loop that begins anywhere.
func LoopSlice(a [4]uint64, n uint8) (sum uint64) {
	for i := 3; i > 0; i-- {
		s := a[i%5:]
		s[len(s)-1]++
		sum += s[0] * uint64(n)
	}
	for s := a[n%4:]; len(s) > 1; s = s[2:] {
		sum ^= s[0] + s[1]<<1
	}
	return sum
}

// SliceOfChoice slices one array on two ways that a constant tells apart.
func SliceOfChoice(a [4]uint8, n uint64, shift int16) (uint8, int) {
	a[n&3] &= uint8(n >> uint16(shift))
	s := a[n:]
	s[0] = 1
	return a[3], len(s)
}

// CopyOneFrom copies from a place that is known late.
func CopyOneFrom(a [3]Point, i uint8) ([3]Point, int) {
	m := max(a[i%3].x, 0)
	n := copy(a[2:3], a[i%4:])
	a[0].x ^= m
	return a, n
}
