package funcs

var primes = [...]uint16{2, 3, 5, 7, 11, 13, 17, 19, 23, 29}

var weights = [3][2]int32{{1, -1}, {100, -100}, {1 << 20, -1 << 31}}

type option struct {
	code  uint8
	value int64
	name  [4]byte
}

var options = [...]option{
	{1, -5, [4]byte{'o', 'n', 'e'}},
	{2, 1 << 40, [4]byte{'t', 'w', 'o'}},
	{200, 0, [4]byte{}},
}

// scratch is written before it is read: it lives on between calls.
var (
	scratch      [8]uint32
	scratchPoint Point
	enabled      = true
	limit        = int8(-3)
)

func GlobalTable(i uint8) uint16 { return primes[i] }

func GlobalMatrix(i, j uint8, x int32) int32 { return weights[i%3][j&1] * x }

func GlobalOptions(code uint8) (int64, [4]byte, bool) {
	for _, o := range options {
		if o.code == code {
			return o.value, o.name, true
		}
	}
	return 0, [4]byte{}, false
}

func GlobalOptionPointer(code uint8) int64 {
	for i := range options {
		if o := &options[i]; o.code >= code {
			return o.value + int64(i)
		}
	}
	return -1
}

func GlobalScratch(a, b uint32, i uint8) (sum uint32) {
	clear(scratch[:])
	scratch[i&7] = a
	scratch[(i+3)&7] += b
	p := &scratch[i>>3&7]
	*p ^= 5
	for _, v := range scratch {
		sum = sum*7 + v
	}
	return sum
}

func GlobalStruct(p Point, k int32) (Point, bool) {
	scratchPoint = p
	scratchPoint.scale(k)
	q := &scratchPoint
	q.swap()
	return scratchPoint, scratchPoint == p
}

func GlobalScalars(x int8) (bool, int8) {
	enabled = x > 0
	limit = x - 1
	y := limit
	limit++
	return enabled, y + limit
}

//bpf:noinline
func writeScratch(i uint8, v uint32) { scratch[i&7] = v }

func GlobalAcrossCall(i uint8, v uint32) (uint32, uint32) {
	scratch[1] = 11
	x := scratch[1]
	writeScratch(i, v)
	return x, scratch[1]
}

func GlobalSlice(lo, hi uint8) (sum int) {
	for _, p := range primes[lo:hi] {
		sum += int(p)
	}
	return sum
}
