package funcs

// counter counts calls, for the order of evaluation.
type counter struct {
	n     int
	trace uint64
}

func (c *counter) tick(id uint64, result bool) bool {
	c.n++
	c.trace = c.trace<<4 | id
	return result
}

func (c *counter) value(id uint64, v int32) int32 {
	c.tick(id, true)
	return v
}

func ShortCircuit(a, b, c bool) (bool, uint64, int) {
	var k counter
	r := k.tick(1, a) && (k.tick(2, b) || k.tick(3, c)) || !k.tick(4, c) && k.tick(5, a)
	return r, k.trace, k.n
}

func EvaluationOrder(a, b int32) (int32, uint64) {
	var k counter
	x := [3]int32{k.value(1, a), k.value(2, b), k.value(3, a-b)}
	y := k.value(4, x[1]) - k.value(5, x[0])*k.value(6, x[2])
	return y, k.trace
}

func swapped(x, y int16) (int16, int16) { return y, x }

func ParallelAssign(a, b int16, i uint8) (int16, int16, [3]int16) {
	a, b = b, a+b
	a, b = swapped(a, b)
	var arr [3]int16
	j := int(i % 3)
	j, arr[j] = 2-j, a
	arr[j], a = b, arr[j]
	return a, b, arr
}

func Logic(a, b, c bool) (bool, bool, bool, bool, bool) {
	return a && b || c, a != b, (a == b) == c, !(a || b) != c, a && !b && c
}

func BoolArray(x uint8) (n int, all, any bool) {
	var bits [8]bool
	for i := range bits {
		bits[i] = x>>i&1 == 1
	}
	all = true
	for _, b := range bits {
		all = all && b
		any = any || b
		if b {
			n++
		}
	}
	return
}

func Switch(x int16) (r string8) {
	switch x {
	case 0:
		r = 1
	case 1, 2, 3:
		r = 2
	case -1, 32767, -32768:
		r = 3
	case 100:
		r = 4
		fallthrough
	case 200:
		r += 10
		if x == 200 {
			break
		}
		fallthrough
	case 300:
		r += 100
	default:
		r = 7
	}
	return r
}

type string8 uint8

func SwitchTrue(a, b uint32) uint8 {
	switch c := a ^ b; {
	case c == 0:
		return 0
	case c < 16 && a > b:
		return 1
	case c&1 == 1:
		return 2
	case a/(b|1) > 3:
		return 3
	}
	return 4
}

func Goto(n uint8) (sum uint32) {
	i := uint8(0)
again:
	if i >= n&31 {
		goto done
	}
	i++
	if i%3 == 0 {
		goto again
	}
	sum += uint32(i) * 7
	goto again
done:
	return sum ^ 0x55
}

func Labels(grid [4][4]uint8, x uint8) (row, col, seen int) {
outer:
	for i := range grid {
		for j, v := range grid[i] {
			seen++
			switch {
			case v == x:
				row, col = i, j
				break outer
			case v > 200:
				continue outer
			case v == 0:
				continue
			}
		}
		seen += 100
	}
	return
}

func RangeForms(a [5]int16, s []int16) (sum int64) {
	for range 3 {
		sum++
	}
	for i := range 5 {
		sum += int64(i) * int64(a[i])
	}
	for i := range a {
		sum ^= int64(a[i])
	}
	for _, v := range &a {
		sum = sum*3 + int64(v)
	}
	for i, v := range s {
		sum += int64(v) << i
	}
	return sum
}

// RangeCopies shows that range over an array value iterates over a copy.
func RangeCopies(a [4]uint8) (out [4]uint8) {
	for i, v := range a {
		a[3-i] += 100
		out[i] = v
	}
	for i, v := range a[:] {
		a[3-i] ^= 0xff
		out[i] += v
	}
	return out
}

func RangeUint(n uint8) (sum uint64) {
	for i := range n & 31 {
		sum += uint64(i * i)
	}
	return sum
}

func CountDown(n uint8) (steps int, last uint8) {
	for i := n & 31; i > 0; i-- {
		steps++
		last = i
		if i == 13 {
			break
		}
	}
	return
}

func CountDownSigned(n int8) (steps int16, last int8) {
	for i := n & 15; i >= 0; i -= 2 {
		steps++
		last = i
	}
	return
}

// NarrowCounter wraps: the counter becomes negative.
func NarrowCounter(limit int8) (n int, last int8) {
	for i := int8(40); i < 50; i += 100 {
		n++
		last = i
		if n > 5 || i == limit {
			break
		}
	}
	return n, last
}

func CounterFromAbove() (n int, last int64) {
	i := int64(9223372036854775806)
	for {
		n++
		last = i
		i++
		if i >= 10 || n > 4 {
			break
		}
	}
	if last < 0 {
		n += 100
	}
	return n, last
}

func Fibonacci(n uint8) (a uint64) {
	a, b := uint64(0), uint64(1)
	for range n & 63 {
		a, b = b, a+b
	}
	return a
}

func Collatz(n uint16) (steps uint8, peak uint32) {
	x := uint32(n)
	for steps < 10 && x > 1 {
		if x%2 == 0 {
			x /= 2
		} else {
			x = 3*x + 1
		}
		peak = max(peak, x)
		steps++
	}
	return
}

func named(a, b int32) (q, r int32, ok bool) {
	if b == 0 {
		return
	}
	q, r = a/b, a%b
	ok = true
	return
}

func NamedResults(a, b int32) (sum int32, ok bool) {
	q, r, ok := named(a, b)
	if !ok {
		sum = -1
		return
	}
	return q + r, ok
}

func Shadow(x int) (y int) {
	y = x
	if x := x * 2; x > 10 {
		y := x + 1
		x = y
		return x
	} else if y := x - 1; y < 0 {
		return y
	}
	return
}
