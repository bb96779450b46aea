package funcs

import "iter"

func ClosureCounter(a, b int32) (int32, int32) {
	n := a
	add := func(x int32) int32 {
		n += x
		return n
	}
	first := add(b)
	return first, add(first) ^ n
}

func apply[T any](xs *[5]T, f func(T) T) {
	for i, x := range xs {
		xs[i] = f(x)
	}
}

func ClosureArgument(xs [5]int16, k int16) [5]int16 {
	apply(&xs, func(x int16) int16 { return x*k - 1 })
	return xs
}

func reduce[T any, A any](xs []T, acc A, step func(A, T) A) A {
	for _, x := range xs {
		acc = step(acc, x)
	}
	return acc
}

func ClosureReduce(xs []uint8, seed uint32) uint32 {
	return reduce(xs, seed, func(acc uint32, x uint8) uint32 { return acc*31 + uint32(x) })
}

func FunctionValue(a, b uint16, up bool) uint16 {
	f := func(x, y uint16) uint16 { return x - y }
	g := wrapAdd
	if up {
		return g(a, b)
	}
	return f(a, b)
}

func wrapAdd(x, y uint16) uint16 { return x + y }

// evens yields the even elements.
func evens(xs []int32) iter.Seq2[int, int32] {
	return func(yield func(int, int32) bool) {
		for i, x := range xs {
			if x&1 == 0 && !yield(i, x) {
				return
			}
		}
	}
}

func RangeOverFunc(xs []int32, limit int32) (sum int64, n int) {
	for i, x := range evens(xs) {
		if x == limit {
			break
		}
		if i == 3 {
			continue
		}
		sum += int64(x)
		n++
	}
	return
}

func countdown(n uint8) iter.Seq[uint8] {
	return func(yield func(uint8) bool) {
		for i := range n {
			if !yield(n - i) {
				return
			}
		}
	}
}

func RangeOverFuncReturn(n, stop uint8, a [4]uint16) (uint8, uint16) {
	var sum uint16
	for i := range countdown(n & 7) {
		for j := range countdown(i & 3) {
			sum += a[j] * uint16(i)
			if j == stop&7 {
				return i, sum
			}
		}
	}
	return 99, sum
}

func FaultInClosure(a [4]uint8, i uint8) (n uint8) {
	get := func(k uint8) uint8 { return a[k] }
	n = get(i & 3)
	n += get(i >> 4)
	return n
}

func each(n int, f func(int)) {
	for k := range n {
		f(k)
	}
}

// ClosureLoopVariable captures the variables of a loop of the old kind, which
// are new in each iteration.
func ClosureLoopVariable(a int, b int16) (s int, last int16) {
	for i, j := 0, b; i < 5; i++ {
		if i == 2 {
			j++
			continue
		}
		each(a&3, func(k int) {
			s += k*i + 1
			j -= int16(k)
		})
		last = j
		if j == 7 {
			i++
		}
	}
	return s, last
}
