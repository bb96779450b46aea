package bits

import (
	"math/bits"
	"math/rand/v2"
	"testing"
)

// pairs holds the functions of one argument, each with its model.
var pairs = map[string][2]func(uint64) uint64{
	"LeadingZeros":    {func(x uint64) uint64 { return uint64(LeadingZeros(uint(x))) }, func(x uint64) uint64 { return uint64(bits.LeadingZeros(uint(x))) }},
	"LeadingZeros8":   {func(x uint64) uint64 { return uint64(LeadingZeros8(uint8(x))) }, func(x uint64) uint64 { return uint64(bits.LeadingZeros8(uint8(x))) }},
	"LeadingZeros16":  {func(x uint64) uint64 { return uint64(LeadingZeros16(uint16(x))) }, func(x uint64) uint64 { return uint64(bits.LeadingZeros16(uint16(x))) }},
	"LeadingZeros32":  {func(x uint64) uint64 { return uint64(LeadingZeros32(uint32(x))) }, func(x uint64) uint64 { return uint64(bits.LeadingZeros32(uint32(x))) }},
	"LeadingZeros64":  {func(x uint64) uint64 { return uint64(LeadingZeros64(x)) }, func(x uint64) uint64 { return uint64(bits.LeadingZeros64(x)) }},
	"TrailingZeros":   {func(x uint64) uint64 { return uint64(TrailingZeros(uint(x))) }, func(x uint64) uint64 { return uint64(bits.TrailingZeros(uint(x))) }},
	"TrailingZeros8":  {func(x uint64) uint64 { return uint64(TrailingZeros8(uint8(x))) }, func(x uint64) uint64 { return uint64(bits.TrailingZeros8(uint8(x))) }},
	"TrailingZeros16": {func(x uint64) uint64 { return uint64(TrailingZeros16(uint16(x))) }, func(x uint64) uint64 { return uint64(bits.TrailingZeros16(uint16(x))) }},
	"TrailingZeros32": {func(x uint64) uint64 { return uint64(TrailingZeros32(uint32(x))) }, func(x uint64) uint64 { return uint64(bits.TrailingZeros32(uint32(x))) }},
	"TrailingZeros64": {func(x uint64) uint64 { return uint64(TrailingZeros64(x)) }, func(x uint64) uint64 { return uint64(bits.TrailingZeros64(x)) }},
	"OnesCount":       {func(x uint64) uint64 { return uint64(OnesCount(uint(x))) }, func(x uint64) uint64 { return uint64(bits.OnesCount(uint(x))) }},
	"OnesCount8":      {func(x uint64) uint64 { return uint64(OnesCount8(uint8(x))) }, func(x uint64) uint64 { return uint64(bits.OnesCount8(uint8(x))) }},
	"OnesCount16":     {func(x uint64) uint64 { return uint64(OnesCount16(uint16(x))) }, func(x uint64) uint64 { return uint64(bits.OnesCount16(uint16(x))) }},
	"OnesCount32":     {func(x uint64) uint64 { return uint64(OnesCount32(uint32(x))) }, func(x uint64) uint64 { return uint64(bits.OnesCount32(uint32(x))) }},
	"OnesCount64":     {func(x uint64) uint64 { return uint64(OnesCount64(x)) }, func(x uint64) uint64 { return uint64(bits.OnesCount64(x)) }},
	"Reverse":         {func(x uint64) uint64 { return uint64(Reverse(uint(x))) }, func(x uint64) uint64 { return uint64(bits.Reverse(uint(x))) }},
	"Reverse8":        {func(x uint64) uint64 { return uint64(Reverse8(uint8(x))) }, func(x uint64) uint64 { return uint64(bits.Reverse8(uint8(x))) }},
	"Reverse16":       {func(x uint64) uint64 { return uint64(Reverse16(uint16(x))) }, func(x uint64) uint64 { return uint64(bits.Reverse16(uint16(x))) }},
	"Reverse32":       {func(x uint64) uint64 { return uint64(Reverse32(uint32(x))) }, func(x uint64) uint64 { return uint64(bits.Reverse32(uint32(x))) }},
	"Reverse64":       {Reverse64, bits.Reverse64},
	"ReverseBytes":    {func(x uint64) uint64 { return uint64(ReverseBytes(uint(x))) }, func(x uint64) uint64 { return uint64(bits.ReverseBytes(uint(x))) }},
	"ReverseBytes16":  {func(x uint64) uint64 { return uint64(ReverseBytes16(uint16(x))) }, func(x uint64) uint64 { return uint64(bits.ReverseBytes16(uint16(x))) }},
	"ReverseBytes32":  {func(x uint64) uint64 { return uint64(ReverseBytes32(uint32(x))) }, func(x uint64) uint64 { return uint64(bits.ReverseBytes32(uint32(x))) }},
	"ReverseBytes64":  {ReverseBytes64, bits.ReverseBytes64},
	"Len":             {func(x uint64) uint64 { return uint64(Len(uint(x))) }, func(x uint64) uint64 { return uint64(bits.Len(uint(x))) }},
	"Len8":            {func(x uint64) uint64 { return uint64(Len8(uint8(x))) }, func(x uint64) uint64 { return uint64(bits.Len8(uint8(x))) }},
	"Len16":           {func(x uint64) uint64 { return uint64(Len16(uint16(x))) }, func(x uint64) uint64 { return uint64(bits.Len16(uint16(x))) }},
	"Len32":           {func(x uint64) uint64 { return uint64(Len32(uint32(x))) }, func(x uint64) uint64 { return uint64(bits.Len32(uint32(x))) }},
	"Len64":           {func(x uint64) uint64 { return uint64(Len64(x)) }, func(x uint64) uint64 { return uint64(bits.Len64(x)) }},
}

// inputs are the edges and many random numbers of all lengths.
func inputs() []uint64 {
	list := []uint64{0, 1, 2, 3, 1<<64 - 1, 1 << 63, 1<<63 - 1, 1<<32 - 1, 1 << 32, 1<<32 + 1}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		list = append(list, r.Uint64()>>(i%64))
	}
	return list
}

func TestAgainstModel(t *testing.T) {
	for name, p := range pairs {
		for _, x := range inputs() {
			if got, want := p[0](x), p[1](x); got != want {
				t.Fatalf("%s(%#x) = %#x, want %#x", name, x, got, want)
			}
		}
	}
}

func TestRotateAgainstModel(t *testing.T) {
	for i, x := range inputs() {
		k := i - 1000
		if got, want := RotateLeft(uint(x), k), bits.RotateLeft(uint(x), k); got != want {
			t.Fatalf("RotateLeft(%#x, %d) = %#x, want %#x", x, k, got, want)
		}
		if got, want := RotateLeft8(uint8(x), k), bits.RotateLeft8(uint8(x), k); got != want {
			t.Fatalf("RotateLeft8(%#x, %d) = %#x, want %#x", uint8(x), k, got, want)
		}
		if got, want := RotateLeft16(uint16(x), k), bits.RotateLeft16(uint16(x), k); got != want {
			t.Fatalf("RotateLeft16(%#x, %d) = %#x, want %#x", uint16(x), k, got, want)
		}
		if got, want := RotateLeft32(uint32(x), k), bits.RotateLeft32(uint32(x), k); got != want {
			t.Fatalf("RotateLeft32(%#x, %d) = %#x, want %#x", uint32(x), k, got, want)
		}
		if got, want := RotateLeft64(x, k), bits.RotateLeft64(x, k); got != want {
			t.Fatalf("RotateLeft64(%#x, %d) = %#x, want %#x", x, k, got, want)
		}
	}
}

// two calls a function with two results and makes a panic a third.
func two(f func() (uint64, uint64)) (res [3]uint64) {
	defer func() {
		if recover() != nil {
			res = [3]uint64{2: 1}
		}
	}()
	a, b := f()
	return [3]uint64{a, b, 0}
}

func TestWideAgainstModel(t *testing.T) {
	in := inputs()
	r := rand.New(rand.NewPCG(3, 4))
	pick := func() uint64 { return in[r.IntN(len(in))] }
	check := func(name string, x, y, z uint64, got, want func() (uint64, uint64)) {
		t.Helper()
		if g, w := two(got), two(want); g != w {
			t.Fatalf("%s(%#x, %#x, %#x) = %#x, want %#x", name, x, y, z, g, w)
		}
	}
	type u64x2 = func() (uint64, uint64)
	for range 20000 {
		x, y, z, c := pick(), pick(), pick(), r.Uint64()&1
		check("Add64", x, y, c, func() (uint64, uint64) { return Add64(x, y, c) }, func() (uint64, uint64) { return bits.Add64(x, y, c) })
		check("Sub64", x, y, c, func() (uint64, uint64) { return Sub64(x, y, c) }, func() (uint64, uint64) { return bits.Sub64(x, y, c) })
		check("Mul64", x, y, 0, func() (uint64, uint64) { return Mul64(x, y) }, func() (uint64, uint64) { return bits.Mul64(x, y) })
		check("Div64", x, y, z, func() (uint64, uint64) { return Div64(x, y, z) }, func() (uint64, uint64) { return bits.Div64(x, y, z) })
		if z != 0 {
			hi := x % z
			check("Div64", hi, y, z, func() (uint64, uint64) { return Div64(hi, y, z) }, func() (uint64, uint64) { return bits.Div64(hi, y, z) })
		}
		check("Rem64", x, y, z, func() (uint64, uint64) { return Rem64(x, y, z), 0 }, func() (uint64, uint64) { return bits.Rem64(x, y, z), 0 })
		check("Add", x, y, c, words(Add, x, y, c), words(bits.Add, x, y, c))
		check("Sub", x, y, c, words(Sub, x, y, c), words(bits.Sub, x, y, c))
		check("Div", x, y, z, words(Div, x, y, z), words(bits.Div, x, y, z))
		check("Add32", x, y, c, words(Add32, x, y, c), words(bits.Add32, x, y, c))
		check("Sub32", x, y, c, words(Sub32, x, y, c), words(bits.Sub32, x, y, c))
		check("Div32", x, y, z, words(Div32, x, y, z), words(bits.Div32, x, y, z))
		var mul, mulWant u64x2 = func() (uint64, uint64) {
			h, l := Mul32(uint32(x), uint32(y))
			return uint64(h), uint64(l)
		}, func() (uint64, uint64) {
			h, l := bits.Mul32(uint32(x), uint32(y))
			return uint64(h), uint64(l)
		}
		check("Mul32", x, y, 0, mul, mulWant)
		check("Mul", x, y, 0, func() (uint64, uint64) {
			h, l := Mul(uint(x), uint(y))
			return uint64(h), uint64(l)
		}, func() (uint64, uint64) {
			h, l := bits.Mul(uint(x), uint(y))
			return uint64(h), uint64(l)
		})
		check("Rem32", x, y, z, func() (uint64, uint64) { return uint64(Rem32(uint32(x), uint32(y), uint32(z))), 0 },
			func() (uint64, uint64) { return uint64(bits.Rem32(uint32(x), uint32(y), uint32(z))), 0 })
		check("Rem", x, y, z, func() (uint64, uint64) { return uint64(Rem(uint(x), uint(y), uint(z))), 0 },
			func() (uint64, uint64) { return uint64(bits.Rem(uint(x), uint(y), uint(z))), 0 })
	}
}

func words[T uint | uint32](f func(x, y, z T) (T, T), x, y, z uint64) func() (uint64, uint64) {
	return func() (uint64, uint64) {
		a, b := f(T(x), T(y), T(z))
		return uint64(a), uint64(b)
	}
}
