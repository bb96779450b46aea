package funcs

//bpf:noinline
func callee1(a, b int32) int32 { return a*3 - b }

//bpf:noinline
func callee2(a int8, b uint16) (int8, uint16, bool) { return a + int8(b), b * 2, a < 0 }

//bpf:noinline
func calleeFault(a [4]uint8, i uint8) uint8 { return a[i] }

//bpf:noinline
func calleeDivide(a, b int16) (int16, int16) { return a / b, a % b }

//bpf:noinline
func calleeDeep(x, y int32) int32 { return calleeDeeper(x, y) + 1 }

//bpf:noinline
func calleeDeeper(x, y int32) int32 {
	if x > 1000 {
		panic("too large")
	}
	return x % y
}

//bpf:noinline
func calleePointer(p *Point, k int32) bool {
	p.x += k
	p.y -= k
	return p.x > p.y
}

//bpf:noinline
func calleeStruct(p Point, q Point) Point { return Point{p.x + q.y, p.y - q.x} }

//bpf:noinline
func calleeNothing(p *uint32) { *p ^= 0xffff }

//bpf:noinline
func calleeSlice(s []uint8) (n uint32) {
	for _, b := range s {
		n = n*33 + uint32(b)
	}
	return n
}

//bpf:noinline
func calleeArray(a *[6]uint16, i uint8) (uint16, bool) {
	a[i%6]++
	return a[(i+1)%6], a[0] == a[5]
}

//bpf:noinline
func calleeBool(a uint8, b bool) bool { return (a&1 == 1) != b }

//bpf:noinline
func calleeNarrow(a uint8, b int8) (uint8, int8) { return a + 200, b - 100 }

//bpf:noinline
func calleeLarge(seed uint64) Large { return largeFill(seed) }

func CallSimple(a, b int32) int32 { return callee1(a, b) + callee1(b, a) }

func CallMultiple(a int8, b uint16) (int64, uint64, bool) {
	x, y, neg := callee2(a, b)
	x2, y2, _ := callee2(x, y)
	return int64(x) + int64(x2), uint64(y) | uint64(y2)<<16, neg
}

func CallFault(a [4]uint8, i uint8) (uint8, uint8) {
	x := calleeFault(a, i&3)
	return x, calleeFault(a, i>>5)
}

func CallDivide(a, b int16) (int16, int16) {
	q, r := calleeDivide(a, b)
	q2, r2 := calleeDivide(b, a)
	return q + r2, r - q2
}

func CallDeep(x, y int32) (n int32) {
	for i := range 3 {
		n += calleeDeep(x, y-int32(i))
	}
	return n
}

func CallPointer(p *Point, k int32) (bool, Point) {
	q := *p
	a := calleePointer(&q, k)
	b := calleePointer(p, -k)
	return a != b, q
}

func CallStruct(p, q Point) Point {
	r := calleeStruct(p, q)
	return calleeStruct(r, p)
}

func CallNothing(x uint32) uint32 {
	y := x
	calleeNothing(&y)
	return y
}

// CallSlice passes slices from the start of an array. Cut at a variable place,
// they would be more than the kernel can follow through a call.
func CallSlice(a [12]uint8, hi uint8) (uint32, uint32) {
	return calleeSlice(a[:]), calleeSlice(a[:hi%14])
}

func inlinedSlice(s []uint8) (n uint32) {
	for _, b := range s {
		n = n*33 + uint32(b)
	}
	return n
}

func CallInlinedSlice(a [12]uint8, lo, hi uint8) (uint32, uint32) {
	return inlinedSlice(a[3:]), inlinedSlice(a[lo%13 : hi%13])
}

func CallSliceOf(s []uint8) uint32 { return calleeSlice(s) }

func CallArray(a [6]uint16, i uint8) ([6]uint16, uint16, bool) {
	x, ok := calleeArray(&a, i)
	return a, x, ok
}

func CallBool(a uint8, b bool) (n int) {
	if calleeBool(a, b) {
		n = 1
	}
	if !calleeBool(a>>1, !b) {
		n += 2
	}
	return n
}

func CallNarrow(a uint8, b int8) (bool, bool, uint32, int64) {
	x, y := calleeNarrow(a, b)
	return x < a, y < b, uint32(x), int64(y)
}

func CallLarge(seed uint64) (uint64, uint64) {
	l := calleeLarge(seed)
	return l.sum(), l.words[5]
}

func CallInLoop(s []uint8) (n int32) {
	for i, b := range s {
		n = callee1(n, int32(b)) ^ int32(i)
	}
	return n
}

func CallInCondition(a, b int32) int32 {
	if x := callee1(a, b); x > 0 && callee1(b, a) < x || a == b {
		return x
	}
	return callee1(1, 2)
}

// manyParams has more parameters than registers.
func manyParams(a, b, c, d, e, f, g uint8) uint32 {
	return uint32(a) + uint32(b)<<4 + uint32(c)<<8 + uint32(d)<<12 + uint32(e)<<16 + uint32(f)<<20 + uint32(g)<<24
}

func ManyParams(a, b, c uint8) uint32 { return manyParams(a, b, c, a+b, b+c, a-c, ^a) }

// PressureInts keeps more values alive than there are registers.
func PressureInts(a, b, c, d, e, f, g, h uint64) uint64 {
	p, q, r, s := a*b, c*d, e*f, g*h
	t, u, v, w := a+h, b+g, c+f, d+e
	x := p ^ q<<1 ^ r<<2 ^ s<<3
	if x&1 == 1 {
		x += t*u + v*w
	}
	return x + a - b + c - d + e - f + g - h + p%(t|1) + q%(u|1) + r%(v|1) + s%(w|1)
}

func PressureLoop(a, b, c, d, e, f uint32) (x uint32) {
	for i := range uint32(8) {
		a += b ^ i
		b -= c
		c ^= d << 1
		d += e * 3
		e ^= f >> 2
		f += a
		x += a ^ b ^ c ^ d ^ e ^ f
	}
	return x*a + b*c + d*e + f
}
