package funcs

//lint:file-ignore SA4000,SA4006 equal operands and values that are not used are what is tested

// Operands that calls change after them: what counts is when Go's compiler reads them.

var orderGlobal int32

func orderBump() int32 {
	orderGlobal += 7
	return orderGlobal
}

func OrderRet(a int32) (int32, int32)  { f := func() int32 { a++; return a }; return a, f() }
func OrderArr(a int32) [2]int32        { f := func() int32 { a++; return a }; return [2]int32{a, f()} }
func OrderAdd(a int32) int32           { f := func() int32 { a++; return a * 2 }; return a + f() }
func orderPair(a, b int32) int32       { return a*1000 + b }
func OrderArg(a int32) int32           { f := func() int32 { a++; return a * 2 }; return orderPair(a, f()) }
func OrderCmp(a int32) bool            { f := func() int32 { a++; return a }; return a == f() }
func OrderAsg(a int32) (x, y int32)    { f := func() int32 { a++; return a }; x, y = a, f(); return }
func OrderOpAsg(a int32) int32         { f := func() int32 { a++; return a }; a += f(); return a }
func OrderIdxAsg(a uint8) (r [4]uint8) { f := func() uint8 { a++; return a }; r[a&3] = f(); return }
func OrderIdxOp(a uint8) (r [4]uint8)  { f := func() uint8 { a++; return a }; r[a&3] += f(); return }
func OrderElemOp(r [4]uint8, k uint8) [4]uint8 {
	f := func() uint8 { r[k&3] = 100; return 1 }
	r[k&3] += f()
	return r
}
func OrderElemAdd(r [4]uint8, k uint8) uint8 {
	f := func() uint8 { r[k&3] = 100; return 1 }
	return r[k&3] + f()
}

type orderPoint struct{ x, y int32 }

func (p orderPoint) sum(v int32) int32 { return p.x*1000 + p.y*10 + v }
func OrderFld(a int32) int32 {
	p := orderPoint{a, 3}
	f := func() int32 { p.x++; return 1 }
	return p.x + f()
}
func OrderRecv(a int32) int32 {
	p := orderPoint{a, 3}
	f := func() int32 { p.x++; return 1 }
	return p.sum(f())
}
func OrderStructArg(a int32) int32 {
	p := orderPoint{a, 3}
	f := func() int32 { p.x++; return 1 }
	return orderPoint.sum(p, f())
}
func OrderStructLit(a int32) (r [2]orderPoint) {
	p := orderPoint{a, 3}
	f := func() orderPoint { p.x++; return p }
	return [2]orderPoint{p, f()}
}
func OrderStructRet(a int32) (orderPoint, orderPoint) {
	p := orderPoint{a, 3}
	f := func() orderPoint { p.x++; return p }
	return p, f()
}
func OrderGlob(a int32) (int32, int32) {
	orderGlobal = a
	return orderGlobal, orderBump()
}
func OrderGlobAdd(a int32) int32 {
	orderGlobal = a
	return orderGlobal + orderBump()
}
func OrderGlobAdd2(a int32) int32 {
	orderGlobal = a
	return orderGlobal + orderBump() + orderGlobal + orderBump()
}
func OrderPtr(a *int32) int32 {
	f := func() int32 { *a++; return 1 }
	if a == nil {
		return 0
	}
	return *a + f()
}
func OrderPtr2(a *int32) (int32, int32) {
	f := func() int32 { *a++; return 1 }
	if a == nil {
		return 0, 0
	}
	return *a, f()
}
func OrderSwapIdx(r [4]uint8, i uint8) ([4]uint8, uint8) { i &= 3; i, r[i] = r[3]&3, i; return r, i }
func OrderRangeMod(r [4]uint8) (s uint8) {
	for i := range r {
		r[(i+1)&3] += r[i]
		s ^= r[i]
	}
	return
}
func OrderSl(r [8]uint8, n uint8) int {
	n &= 3
	f := func() uint8 { n++; return n }
	return len(r[n : f()+4])
}
func OrderSlVar(r [8]uint8, n uint8) int {
	s := r[:]
	f := func() int { s = s[1:]; return 2 }
	return len(s[f():])
}
func OrderIdxVar(r [8]uint8, n uint8) uint8 {
	s := r[:]
	f := func() int { s = s[1:]; return 2 }
	return s[f()]
}
func OrderIdxVar2(r [8]uint8, n uint8) [8]uint8 {
	s := r[:]
	f := func() uint8 { s = s[1:]; return 2 }
	s[0] = f()
	return r
}
func OrderShift(a uint8) uint8 { f := func() uint8 { a += 3; return 1 }; return a << f() }
func OrderIf(a int32) int32 {
	f := func() bool { a += 3; return a > 10 }
	if x := a; f() && a > x {
		return a
	}
	return -a
}
func OrderSwitchTag(a int32) int32 {
	f := func() int32 { a++; return a }
	switch a {
	case f():
		return 1
	case f() - 1:
		return 2
	}
	return 3
}
func OrderConv(a int32) (int64, int32)  { f := func() int32 { a++; return a }; return int64(a), f() }
func OrderNeg(a int32) (int32, int32)   { f := func() int32 { a++; return a }; return -a, f() }
func OrderParen(a int32) (int32, int32) { f := func() int32 { a++; return a }; return a + 1, f() }
func OrderPtrl(a int32) (int32, int32) {
	p := &a
	f := func() int32 { *p += 5; return *p }
	return a, f()
}
func OrderMulti(a int32) (x, y, z int32) {
	f := func() int32 { a++; return a }
	x, y, z = a, f(), a
	return
}
func OrderNamedRet(a int32) (x, y int32)  { x = a; f := func() int32 { x++; return 9 }; return x, f() }
func OrderNamedRet2(a int32) (x, y int32) { x = a; f := func() int32 { x++; return x }; return f(), x }
func OrderDiv(a, b int32) (r int32) {
	f := func() int32 { r = 5; return b }
	r = 7
	r = a / f()
	return
}

// orderCursor is a cursor as every parser has one.
type orderCursor struct {
	b   [8]byte
	off int
}

func (c *orderCursor) u8() int {
	v := int(c.b[c.off&7])
	c.off++
	return v
}

func (c *orderCursor) skip(n int) *orderCursor { c.off += n; return c }

func OrderCursor(b [8]byte) (int, int, int) {
	c := orderCursor{b: b}
	c.u8()
	end := c.off + c.u8()
	return end, c.off - c.skip(c.u8()).off, c.u8() + c.off
}

// OrderLogic: what && and || say is kept, before later calls.
func OrderLogic(a, b int32) (r [6]bool, n int32) {
	f := func() bool { a++; return a&1 == 0 }
	g := func(x, y bool) bool { n = n*2 + 1; return x != y }
	r[0] = a > b && f() == (a < b+2)
	r[1] = g(a > b || f(), f())
	r[2] = (a > 3) != (f() && (a < 5) != f())
	if a != b && (a > b) == f() || a == b+2 {
		r[3] = true
	} else if n == a || (a == n+3) != (f() || f()) {
		r[4] = true
	}
	x := a > 2 && b > 2
	r[5] = x == f()
	return r, n
}

func OrderFor(a uint8) (n, sum int) {
	a &= 7
	f := func() int { a++; return int(a) }
	for i := 0; i < 4 && int(a)+i < f()+8-i; i++ {
		if n++; i == 3 {
			continue
		}
		if sum += i; sum > 20 {
			break
		}
	}
outer:
	for i, j := int(a), f(); i < j+3; i++ {
		for range int(a)&1 + f()&1 {
			if sum++; sum > 30 {
				break outer
			}
			if sum&7 == 0 {
				continue outer
			}
		}
		if n++; n > 5 {
			break
		}
	}
again:
	for i := range int(a) + f()&1 {
		if sum += i; sum < 40 && n < 8 {
			n++
			goto again
		}
	}
	return n, sum
}

func OrderSwitch(a, b uint8) (r int) {
	f := func() uint8 { a++; return a & 3 }
	switch a & 3 {
	case a&3 + f():
		r = 1
	case b, b + f(), a + f():
		r = 2
		fallthrough
	case f():
		r += 3
	}
	switch {
	case a == f():
		r += 10
	case a-b > f() && a < b, b+a&1 == f()&1:
		r += 20
	}
	switch x := a + f(); x + a + f() {
	case 0, 1, 2, 3, 4:
		r += 100
	default:
		r += int(x)
	}
	return r
}

func OrderRange(a uint8, s [8]uint8) (r int) {
	f := func() uint8 { a++; s[a&7]++; return a & 3 }
	for i := range a&3 + f() {
		r = r*2 + int(i)
	}
	for i, v := range s[a&3+f():] {
		r += i * int(v)
	}
	for i := range []uint8{a, f(), a, f()}[:] {
		r += i + int(a)
	}
	return r
}

func OrderDeclare(a int32) int32 {
	f := func() int32 { a += 3; return a }
	var x, y, z = a, f(), a
	var p, q = orderTwo(a, f())
	i, j, k := a, f(), a*2
	i, j = orderTwo(i+a, f())
	return x + y*3 + z*5 + p*7 + q*11 + i*13 + j*17 + k*19
}

func orderTwo(a, b int32) (int32, int32) { return b - a, a }

func OrderTuple(a int32, i uint8) (r [4]int32, s int32) {
	f := func() (int32, int32) { a++; i++; return a, a * 2 }
	r[i&3], r[(i+1)&3] = f()
	g := func(x, y int32) int32 { a += x; return x - y }
	s = a + g(f()) + a
	h := orderPoint{a, 3}
	k := func() (x int32) { h.y++; h.x--; return 4 }
	s += h.sum(h.sum(k()))
	return r, s + g(f())
}

func OrderSlices(a [8]uint8, i uint8) (int, int, uint8) {
	s := a[:]
	f := func() uint8 { s = s[1:]; a[3]++; i++; return i & 1 }
	x := len(s[i&1:]) + int(f())
	y := orderLen(s[1:], f()) + orderLen(s[i&1+f():], i+f())
	return x, y + copy(s[f():], s[f():]) + min(len(s), int(f())), a[i&7] + max(f(), i)
}

func orderLen(s []uint8, n uint8) int { return len(s)*10 + int(n) }

func OrderLabels(a uint8) (r int) {
	f := func() uint8 { a += 5; return a & 7 }
	n := 0
again:
	r += int(a&3 + f())
	if n++; n < 4 && r < 20 {
		goto again
	}
loop:
	for n < 8 && a&7 < f()+2 {
		n++
		switch a & 1 {
		case f() & 1:
			break loop
		default:
			continue loop
		}
	}
	return r
}

type orderPair2[T any] struct{ x, y T }

func orderGeneric[T int8 | uint32](p *orderPair2[T], bump func() T) (T, T, bool) {
	v := p.x + bump()
	q := orderPair2[T]{p.y, bump()}
	for n := 0; n < 5 && v > p.x+bump() && q.x != bump(); n++ {
		v--
	}
	return v, q.x - q.y + p.y*bump(), p.x == bump() || p.y == bump()
}

func OrderGeneric(a int8, b uint32) (int8, int8, bool, uint32, uint32, bool) {
	p, q := orderPair2[int8]{a, 3}, orderPair2[uint32]{b & 15, 5}
	n := 0
	r1, r2, r3 := orderGeneric(&p, func() int8 { n++; p.x += int8(n); p.y++; return p.y & 3 })
	r4, r5, r6 := orderGeneric(&q, func() uint32 { n++; q.x += uint32(n); q.y++; return q.y & 3 })
	return r1, r2, r3, r4, r5, r6
}

// Faults come after the calls of a statement, too.

func OrderFaultIndex(a *[4]uint8, i uint8) {
	if a == nil {
		return
	}
	f := func() uint8 { a[0]++; return 7 }
	a[i] = f()
}

func OrderFaultNil(a *[4]uint8, p *uint8) {
	if a == nil {
		return
	}
	f := func() uint8 { a[0]++; return 7 }
	*p = f()
	*p += f()
}

func OrderFaultOp(a *[4]uint8, i uint8) {
	if a == nil {
		return
	}
	f := func() uint8 { a[0]++; return 7 }
	a[i] += f()
}

func OrderFaultBoth(a *[4]uint8, i, j uint8) uint8 {
	if a == nil {
		return 0
	}
	f := func() uint8 { a[0]++; return 7 }
	return a[i] + f()/j
}

func orderAdd3(a *[4]uint8) *[4]uint8 { a[0] += 3; return a }

func OrderFaultCall(a *[4]uint8, i, j uint8) uint8 {
	if a == nil {
		return 0
	}
	orderAdd3(a)[i&3] = orderAdd3(a)[j&3]
	orderAdd3(a)[i&3]++
	orderAdd3(a)[j&3], orderAdd3(a)[i&3] = orderAdd3(a)[0], orderAdd3(a)[1]
	return orderAdd3(a)[i] - a[j]
}
