package funcs

func InsertionSort(a [6]int32) [6]int32 {
	for i := 1; i < len(a); i++ {
		for j := i; j > 0 && a[j-1] > a[j]; j-- {
			a[j-1], a[j] = a[j], a[j-1]
		}
	}
	return a
}

func SelectionSort(a *[5]uint16) {
	for i := range a {
		least := i
		for j := i + 1; j < len(a); j++ {
			if a[j] < a[least] {
				least = j
			}
		}
		a[i], a[least] = a[least], a[i]
	}
}

func BubbleSort(a [5]int8) (sorted [5]int8, swaps int) {
	for n := len(a); n > 1; n-- {
		for i := 1; i < n; i++ {
			if a[i-1] > a[i] {
				a[i-1], a[i] = a[i], a[i-1]
				swaps++
			}
		}
	}
	return a, swaps
}

func sortNetwork[T int8 | uint64](a, b, c, d T) (T, T, T, T) {
	if a > b {
		a, b = b, a
	}
	if c > d {
		c, d = d, c
	}
	if a > c {
		a, c = c, a
	}
	if b > d {
		b, d = d, b
	}
	if b > c {
		b, c = c, b
	}
	return a, b, c, d
}

func SortFour(a, b, c, d int8) (int8, int8, int8, int8)               { return sortNetwork(a, b, c, d) }
func SortFourWide(a, b, c, d uint64) (uint64, uint64, uint64, uint64) { return sortNetwork(a, b, c, d) }

var sortedTable = [16]int32{-2147483648, -70000, -256, -100, -1, 0, 1, 2, 7, 42, 99, 1000, 65536, 70000, 1 << 30, 2147483647}

func BinarySearch(x int32) (int, bool) {
	lo, hi := 0, len(sortedTable)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if sortedTable[mid] < x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(sortedTable) && sortedTable[lo] == x
}

func BinarySearchSlice(s []uint16, x uint16) int {
	lo, hi := 0, len(s)
	for range 6 {
		if lo >= hi {
			break
		}
		mid := (lo + hi) / 2
		if s[mid] < x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Partition is one step of quicksort.
func Partition(a *[8]int16, pivot int16) (n int) {
	for i := range a {
		if a[i] < pivot {
			a[i], a[n] = a[n], a[i]
			n++
		}
	}
	return n
}

func Median(a, b, c uint8) uint8 { return max(min(a, b), min(max(a, b), c)) }

func ReverseInPlace(s []uint32) {
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
}

type record struct {
	key   uint8
	value int64
}

// SortRecords sorts structs by key, stably.
func SortRecords(keys [4]uint8, values [4]int64) (out [4]int64) {
	var rs [4]record
	for i := range rs {
		rs[i] = record{keys[i] & 3, values[i]}
	}
	for i := 1; i < len(rs); i++ {
		r := rs[i]
		j := i
		for ; j > 0 && rs[j-1].key > r.key; j-- {
			rs[j] = rs[j-1]
		}
		rs[j] = r
	}
	for i, r := range rs {
		out[i] = r.value
	}
	return out
}
