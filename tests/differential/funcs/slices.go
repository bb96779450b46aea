package funcs

func SliceSum(s []int32) (sum int64) {
	for i := 0; i < len(s); i++ {
		sum += int64(s[i])
	}
	return sum
}

func SliceIndex(s []uint16, i int) uint16 { return s[i] }

func SliceStore(s []uint8, i uint8, v uint8) { s[i] = v }

func SliceTwo(s []uint8, lo, hi uint8) (int, int, uint8) {
	t := s[lo:hi]
	var first uint8
	if len(t) > 0 {
		first = t[0]
	}
	return len(t), cap(t), first
}

func SliceOpen(s []uint8, n int8) (int, int) {
	return len(s[n:]), cap(s[:n])
}

func SliceThree(s []uint32, lo, hi, top uint8) (int, int) {
	t := s[lo:hi:top]
	return len(t), cap(t)
}

func SliceArray(a [8]uint16, lo, hi uint8) (sum uint32) {
	for _, v := range a[lo&7 : hi] {
		sum += uint32(v)
	}
	return sum
}

func SliceArrayConst(a [8]uint16) (uint16, int, int) {
	s := a[2:6]
	t := s[1:3:4]
	t[0] = 99
	return s[1] + a[3] + t[1], len(t), cap(t)
}

// SliceBeyondLength reslices up to the capacity.
func SliceBeyondLength(a [10]uint8, n uint8) (uint8, int) {
	s := a[:n%5]
	t := s[:cap(s)]
	return t[9], len(t)
}

func SliceAliasing(a [6]int16, v int16) (int16, int16) {
	s := a[1:5]
	t := s[1:]
	t[0] = v
	s[2] = t[0] + 1
	return a[2], a[3]
}

func CopyFull(dst, src []uint8) int { return copy(dst, src) }

func CopyWords(dst *[5]uint64, src []uint64) int { return copy(dst[:], src) }

func CopyOverlapUp(a [8]uint8, n uint8) ([8]uint8, int) {
	k := copy(a[2:], a[:n&7])
	return a, k
}

func CopyOverlapDown(a [8]uint8, n uint8) ([8]uint8, int) {
	k := copy(a[:], a[n&7:])
	return a, k
}

func CopyOverlapSame(s []uint16, from, to uint8) int {
	return copy(s[to%8:], s[from%8:])
}

func CopyConst(a [9]uint8, b [9]uint8) [9]uint8 {
	copy(a[1:4], b[5:])
	copy(a[6:], b[:2])
	return a
}

func CopyString(n uint8) (buf [12]byte, k int) {
	k = copy(buf[n%12:], "hello, bees")
	return
}

func CopyStructs(dst, src []Point) int { return copy(dst, src) }

func ClearSlice(s []uint32, from uint8) {
	clear(s[from:])
}

func ClearArray(a *[7]uint8, m *Mixed) {
	clear(a[2:5])
	*m = Mixed{}
}

func SliceToArray(s []uint8) ([4]uint8, uint8) {
	p := (*[4]uint8)(s)
	p[1]++
	return [4]uint8(s), s[1]
}

func NilSlice(cond bool, a [3]uint8) (int, bool, int) {
	var s []uint8
	if cond {
		s = a[:2]
	}
	n := 0
	for range s {
		n++
	}
	return len(s), s == nil, n
}

func SliceParam(a [10]int8, lo uint8) (int, int) {
	return countNegative(a[:]), countNegative(a[lo%10:])
}

func countNegative(s []int8) (n int) {
	for _, v := range s {
		if v < 0 {
			n++
		}
	}
	return n
}

func SubsliceReturned(s []uint8) (n int, first uint8) {
	t := trim(s)
	if len(t) == 0 {
		return 0, 0
	}
	return len(t), t[0]
}

func trim(s []uint8) []uint8 {
	for len(s) > 0 && s[0] == ' ' {
		s = s[1:]
	}
	return s
}

func SliceOfStructs(s []Point, k int32) (sum int64) {
	for i := range s {
		s[i].scale(k)
		p := &s[i]
		p.x++
		sum += p.norm1()
	}
	return sum
}

func SliceInStruct(a [6]uint8, lo uint8) (int, uint8) {
	type view struct {
		data []uint8
		pos  int
	}
	v := view{data: a[:], pos: int(lo % 6)}
	rest := v.data[v.pos:]
	return len(rest), rest[0]
}

func EqualSlices(a, b []uint8) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func StringCompare(b [5]byte) (bool, bool, int) {
	return string(b[:3]) == "GET", string(b[:]) != "hello", len("waggle")
}

func SliceOfSlice(s []uint16) (sum uint32) {
	for len(s) >= 2 {
		sum += uint32(s[0]) * uint32(s[1])
		s = s[2:]
	}
	return sum + uint32(len(s))
}

func WindowSums(s []uint8, w uint8) (best int) {
	width := int(w%4) + 1
	for i := 0; i+width <= len(s); i++ {
		sum := 0
		for _, v := range s[i : i+width] {
			sum += int(v)
		}
		best = max(best, sum)
	}
	return best
}

// TrimBoth moves both ends of a slice that starts anywhere.
func TrimBoth(s []uint8, from uint8) (int, uint32) {
	s = s[min(int(from%8), len(s)):]
	for len(s) > 0 && s[0] <= ' ' {
		s = s[1:]
	}
	for len(s) > 0 && s[len(s)-1] <= ' ' {
		s = s[:len(s)-1]
	}
	sum := uint32(0)
	for _, b := range s {
		sum = sum<<1 ^ uint32(b)
	}
	return len(s), sum
}

// NextToken cuts a text at a byte.
func NextToken(s []uint8, sep uint8) (head, tail int, first uint8) {
	for i, b := range s {
		if b == sep {
			h, t := s[:i], s[i+1:]
			if len(t) > 0 {
				first = t[0]
			}
			if len(h) > 2 {
				first ^= h[2]
			}
			return len(h), len(t), first
		}
	}
	return len(s), 0, 0
}

func ChosenSlice(a [6]uint8, b [9]uint8, cond bool, i uint8) (int, uint8) {
	s := a[1:]
	if cond {
		s = b[2:8]
	}
	return len(s), s[i]
}

func SliceHalves(s []int16) (left, right int32) {
	half := len(s) / 2
	for _, v := range s[:half] {
		left += int32(v)
	}
	for _, v := range s[half:] {
		right += int32(v)
	}
	return
}

func CopyWithin(a *[12]uint8, from, to, n uint8) int {
	f, t := int(from&7), int(to&7)
	k := min(int(n&7), 12-max(f, t))
	return copy(a[t:t+k], a[f:f+k])
}

func CompareTails(a, b []uint8, i, j uint8) bool {
	x, y := a[min(int(i), len(a)):], b[min(int(j), len(b)):]
	if len(x) != len(y) {
		return false
	}
	for k, v := range x {
		if v != y[k] {
			return false
		}
	}
	return true
}

func ReverseRange(s []uint16, lo, hi uint8) {
	t := s[lo:hi]
	for i, j := 0, len(t)-1; i < j; i, j = i+1, j-1 {
		t[i], t[j] = t[j], t[i]
	}
}

func SlicePointers(s []Point, i uint8) (int32, int32) {
	t := s[i%4:]
	p, q := &t[0], &t[len(t)-1]
	p.x, q.y = q.y+1, p.x
	return p.x, q.y
}

func StructBytes(data *[24]byte, off uint8) (uint32, uint16) {
	b := data[off%17:]
	_ = b[7]
	n := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	return n, uint16(b[4])<<8 | uint16(b[7])
}

func ThreeIndexLoop(a [10]uint8, n uint8) (sum int) {
	for lo := 0; lo < 10; lo += 3 {
		hi := min(lo+int(n&3)+1, 10)
		s := a[lo:hi:hi]
		sum += len(s)*100 + cap(s) + int(s[len(s)-1])
	}
	return sum
}
