package funcs

func FaultExplicit(x uint8) uint8 {
	if x == 13 {
		panic("unlucky")
	}
	return x + 1
}

// FaultOrder may fault in several places: the first one counts.
func FaultOrder(a [3]int32, i, j int8, d int32) int32 {
	x := a[i] /
		d
	y := a[j] %
		(d - 1)
	return x + y
}

// FaultAfterStore leaves what it stored before.
func FaultAfterStore(a *[4]uint32, i, j uint8) {
	a[0] = 1
	a[i] = 2
	a[1] = 3
	a[j] = 4
	a[2] = 5
}

func FaultInLoop(s []uint8, limit uint8) (n uint32) {
	for i := range 24 {
		if i == int(limit) {
			return n
		}
		n += uint32(s[i])
	}
	return n
}

func FaultInCondition(a [5]uint8, i, j uint8) bool {
	return i < 200 && a[i] > 10 || a[j] == 0
}

func mustPositive(x int16) int16 {
	if x <= 0 {
		panic(x)
	}
	return x
}

func FaultInlined(x, y int16) int16 { return mustPositive(x) / mustPositive(y) }

func FaultShift(x uint32, n int8) uint32 {
	if x&1 == 1 {
		return x << n
	}
	return x >> (n + 3)
}

func FaultNilField(p *Mixed, q *Point) int32 {
	a := &p.G
	if q != nil {
		a = q
	}
	return a.x + p.E
}

func FaultUnused(a [3]uint8, i uint8, d int32) uint8 {
	_ = a[i]
	_ = 5 / d
	return 1
}

func FaultSliceBounds(s []uint8, a, b, c int16) (n int) {
	n += len(s[a:])
	n += len(s[:b])
	n += len(s[b:c])
	n += cap(s[a:b:c])
	return n
}

func FaultConvert(s []uint16, i uint8) uint16 {
	a := [3]uint16(s[i&7:])
	return a[0] ^ a[2]
}
