package p

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

type number interface{ ~int32 | ~int64 }

type hasher interface{ Hash() uint32 }

type point struct{ x, y int32 }

func (p point) Hash() uint32 { return uint32(p.x ^ p.y) }

func (p *point) move(dx int32) { p.x += dx }

type nested struct {
	point
	name string
	f    float64 // not touched
	err  error   // likewise
}

var (
	counts = bpf.Array[uint64]{MaxEntries: 4}
	total  uint64
	table  = [...]int32{1, 2, 3}
)

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	if string(b[:4]) == "GET " || "POST" != string(b[:4]) {
		bpf.Log("port %d %d", ctx.IngressIfIndex, b[0])
	}
	switch string(b[:3]) {
	case "PUT":
		return xdp.Drop
	}
	count(&counts)
	share(ctx)
	if p := packet.At[point](b, 14); p != nil {
		p.move(3)
	}
	return xdp.Pass
}

func share(ctx bpf.Context) { _ = ctx }

func count(m *bpf.Array[uint64]) {
	if n := m.Lookup(0); n != nil {
		*n++
	}
}

func sum[T number](xs ...T) (total T) {
	for _, x := range xs {
		total += x
	}
	return total
}

func hash[T hasher](x T) uint32 { return x.Hash() }

func Loops(n int32) (sum int32) {
outer:
	for i := range 10 {
		for j := range table {
			switch {
			case i == j:
				continue outer
			case i > 8:
				break outer
			default:
				sum += table[j]
				fallthrough
			case j == 100:
				sum++
			}
		}
	}
	for i := int32(0); i < n; i++ {
		if i == 7 {
			goto done
		}
	}
done:
	return sum + min(n, 3)
}

func Memory(n int32) int32 {
	s := make([]int32, 4, 8)
	p := &point{1, 2}
	q := new(point)
	*q = *p
	lit := []int32{1, 2, 3}
	copy(s, lit)
	clear(s[1:2])
	var a [4]byte
	copy(a[:], "abcd")
	arr := [2]int32(s)
	const big = 1e3
	nest := nested{point: *p, name: "x"}
	nest.move(n)
	if n == 17 {
		panic("seventeen")
	}
	return q.x + arr[0] + int32(a[0]) + int32(big*1.5) + sum(s...) + sum[int32](1, 2) + int32(len("abc"+"def")) + int32(hash(*p)) + nest.x
}

func Unsafe(x uint32) int32 {
	return *(*int32)(unsafe.Pointer(&x)) + int32(unsafe.Sizeof(x)) + int32(unsafe.Offsetof(nested{}.name))
}

func Addresses(n int32) int32 {
	var x, y int32
	p := &x
	if n > 0 {
		p = &y
	}
	set(p, n)
	c := cursor{buf: table[:]}
	c.advance()
	var total int32
	for i := range n {
		v := i
		set(&v, 3)
		c := cursor{buf: table[i:]}
		c.hold(&v)
		total += *c.held
		total += *pick(&x, &v)
	}
	return x + y + total + c.buf[0]
}

type cursor struct {
	buf  []int32
	held *int32
}

func (c *cursor) advance() { c.buf = c.buf[1:] }

func (c *cursor) hold(p *int32) { c.held = p }

func set(p *int32, n int32) { *p = n }

func pick(p, q *int32) *int32 {
	if *p > *q {
		return p
	}
	return q
}
