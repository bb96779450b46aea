package funcs

type point struct{ x, y int32 }

func (p point) add(q point) point { return point{p.x + q.x, p.y + q.y} }
func (p *point) scale(k int32)    { p.x *= k; p.y *= k }
func (p point) norm1() int64      { return int64(abs32(p.x)) + int64(abs32(p.y)) }
func (p *point) swap() *point     { p.x, p.y = p.y, p.x; return p }
func abs32(x int32) int32         { return max(x, -x) }

// Point is what functions take and return.
type Point = point

func StructMethods(p, q Point, k int32) (Point, int64, Point) {
	r := p.add(q)
	r.scale(k)
	s := r
	s.swap().scale(2)
	return r, s.norm1(), s
}

// Mixed has every width and padding between the fields.
type Mixed struct {
	A int8
	B uint64
	C bool
	D uint16
	E int32
	F [3]uint8
	G Point
}

func StructCopy(m Mixed, v int32) (Mixed, bool, bool) {
	n := m
	n.G.x += v
	n.F[1]++
	o := n
	return n, n == m, o == n
}

func StructCompare(a, b Mixed, which uint8) (bool, bool) {
	b = a
	switch which & 7 {
	case 0:
		b.A++
	case 1:
		b.B ^= 1 << 63
	case 2:
		b.C = !b.C
	case 3:
		b.D -= 3
	case 4:
		b.F[2] ^= 1
	case 5:
		b.G.y--
	}
	return a == b, a != b
}

func StructPointers(m *Mixed, add uint16) (sum uint64) {
	m.D += add
	p := &m.G
	p.x, p.y = p.y, int32(m.D)
	f := &m.F[1]
	*f ^= 0xff
	e := &m.E
	*e = -*e
	return uint64(m.D) + uint64(m.F[1]) + uint64(p.x)
}

type inner struct {
	n    uint16
	tags [2]int8
}

type middle struct {
	inner
	flag bool
}

func (i inner) total() int      { return int(i.n) + int(i.tags[0]) + int(i.tags[1]) }
func (i *inner) bump(by uint16) { i.n += by }

type nested struct {
	middle
	extra [2]inner
}

func Embedding(n uint16, a, b int8, i uint8) (int, int, uint16, bool) {
	var o nested
	o.n = n
	o.tags = [2]int8{a, b}
	o.extra[i&1] = o.inner
	o.bump(3)
	o.extra[0].bump(n)
	o.flag = o.total() > o.extra[1].total()
	return o.total(), o.extra[i&1].total(), o.middle.inner.n, o.flag
}

func NestedCompare(n uint16, a int8, i uint8) (bool, bool) {
	x := nested{middle: middle{inner{n, [2]int8{a, 1}}, true}}
	y := x
	y.extra[i&1].tags[i>>1&1] = a
	return x == y, x.middle == y.middle
}

func pointerTo(p *point, cond bool, q *point) *point {
	if cond {
		return p
	}
	return q
}

func PointersToLocals(a, b int32, cond bool) (int32, int32, int32) {
	x, y := point{a, b}, point{b, a}
	p := pointerTo(&x, cond, &y)
	p.x = 77
	q := &p.y
	*q += 5
	return x.x + x.y, y.x - y.y, *q
}

func PointerToElement(a [6]int16, i uint8) ([6]int16, int16) {
	p := &a[i%6]
	*p *= 2
	q := &a[(i+1)%6]
	*q += *p
	return a, *p
}

func PointerPointer(x uint32) uint32 {
	y := x
	p := &y
	pp := &p
	**pp += 3
	z := uint32(100)
	*pp = &z
	*p ^= x
	return y<<8 | z
}

func PointerCompare(cond bool, x uint8) (bool, bool, bool) {
	a, b := x, x
	p, q := &a, &b
	if cond {
		q = p
	}
	return p == q, p != nil, *p == *q
}

func NilPointer(p *uint32, q *Point) (uint32, int32) {
	n := *p + 1
	return n, q.y
}

func NilChecked(p *Mixed) (uint64, bool) {
	if p == nil {
		return 0, false
	}
	return p.B, true
}

func swapThrough[T any](p, q *T) { *p, *q = *q, *p }

func SwapThrough(a, b *Point, c, d *uint8) {
	swapThrough(a, b)
	swapThrough(c, d)
}

// Large does not fit what is kept in registers.
type Large struct {
	head  uint64
	words [12]uint64
	text  [30]byte
	tail  int16
}

func largeFill(seed uint64) (l Large) {
	l.head = seed
	for i := range l.words {
		l.words[i] = seed * uint64(i)
	}
	l.text[seed%30] = byte(seed)
	l.tail = int16(seed)
	return l
}

func (l Large) sum() (s uint64) {
	for _, w := range l.words {
		s += w
	}
	l.head = 0 // of the copy
	return s + l.head + uint64(l.tail) + uint64(l.text[7])
}

func LargeByValue(seed uint64) (uint64, uint64, byte) {
	l := largeFill(seed)
	s := l.sum()
	return s, l.head, l.text[3]
}

func LargeModify(l *Large, i uint8) (uint64, bool) {
	m := *l
	m.words[i%12]++
	same := m == *l
	*l = m
	return m.words[0], same
}

// Huge takes more than 320 bytes.
type Huge struct{ a, b [21]uint64 }

//bpf:noinline
func hugeSum(h *Huge) (s uint64) {
	for i := range h.a {
		s += h.a[i] ^ h.b[20-i]
	}
	return s
}

func HugeThroughMemory(h *Huge, i uint8) uint64 {
	h.a[i%21] = 1
	return hugeSum(h)
}

func hugeValue(h Huge, i uint8) uint64 { return h.a[i%21] + h.b[0] }

func HugeByValue(h *Huge, i uint8) uint64 { return hugeValue(*h, i) }

type pair[A, B any] struct {
	first  A
	second B
}

func makePair[A, B any](a A, b B) pair[A, B] { return pair[A, B]{a, b} }
func (p pair[A, B]) flip() pair[B, A]        { return pair[B, A]{p.second, p.first} }
func (p *pair[A, B]) set(a A)                { p.first = a }

func GenericPair(a uint8, b int64) (int64, uint8, bool) {
	p := makePair(a, b)
	q := p.flip()
	p.set(a + 1)
	return q.first, p.first, q.flip() == p
}

type stack[T integer] struct {
	items [4]T
	n     int
}

func (s *stack[T]) push(x T) bool {
	if s.n == len(s.items) {
		return false
	}
	s.items[s.n] = x
	s.n++
	return true
}

func (s *stack[T]) pop() (T, bool) {
	if s.n == 0 {
		return 0, false
	}
	s.n--
	return s.items[s.n], true
}

// GenericStack runs a tiny machine.
func GenericStack(code [6]uint8, x int16) (int16, uint8) {
	var s stack[int16]
	s.push(x)
	bad := uint8(0)
	for _, op := range code {
		a, ok := s.pop()
		if !ok {
			bad++
			a = 1
		}
		switch op % 5 {
		case 0:
			s.push(a)
			ok = s.push(a)
		case 1:
			b, _ := s.pop()
			ok = s.push(a + b)
		case 2:
			ok = s.push(-a)
		case 3:
			ok = s.push(int16(op))
		}
		if !ok {
			bad += 16
		}
	}
	r, _ := s.pop()
	return r, bad
}

func sumOf[T integer](xs []T) (s T) {
	for _, x := range xs {
		s += x
	}
	return s
}

func GenericSum(a []int8, b []uint32) (int8, uint32) { return sumOf(a), sumOf(b) }

func AnonymousStruct(a uint8, b int32) (int32, bool) {
	s := struct {
		a uint8
		b int32
	}{a, b}
	t := s
	t.b++
	return t.b + int32(s.a), s == t
}

func EmptyStruct(a uint8) (uint8, bool) {
	var e, f struct{}
	var arr [3]struct{}
	return a + uint8(len(arr)), e == f
}

func ReturnStruct(m Mixed, cond bool) Mixed {
	if cond {
		return Mixed{A: m.A, F: m.F}
	}
	m.E = 12
	return m
}

func StructArray(ps [4]Point, i, j uint8) (Point, [4]Point) {
	ps[i&3].x++
	p := ps[j&3]
	ps[0], ps[3] = ps[3], ps[0]
	p.scale(3)
	return p, ps
}

func StructArrayPointer(ps *[4]Point, i uint8) int32 {
	p := &ps[i&3]
	p.scale(-1)
	p.swap()
	return p.norm32()
}

func (p *point) norm32() int32 { return p.x ^ p.y }
