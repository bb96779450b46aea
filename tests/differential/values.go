package differential

import (
	"encoding/binary"
	"math/rand/v2"
)

// generator makes inputs: numbers at the edges of their types more often than
// others, and texts made of what the source compares with.
type generator struct {
	*rand.Rand
	words dictionary
}

func newGenerator(seed uint64, words dictionary) *generator {
	return &generator{rand.New(rand.NewPCG(seed, 0)), words}
}

// fill makes one input.
func (g *generator) fill(l layout, buf []byte) {
	clear(buf)
	// Some inputs have all their numbers near each other: comparisons and
	// searches find something then.
	narrow := g.IntN(4) == 0
	for _, p := range l.places {
		at := buf[p.off : p.off+p.size]
		switch p.kind {
		case placeBool:
			at[0] = byte(g.IntN(2))
		case placeNil:
			at[0] = 0
			if g.IntN(16) == 0 {
				at[0] = 1
			}
		case placeLength:
			at[0] = g.length()
		case placeBytes:
			g.bytes(at)
		case placeInt:
			n := g.number(uint(8 * p.size))
			if narrow {
				n = uint64(g.IntN(8)) - 2
			}
			putInt(at, n)
		}
	}
}

func putInt(at []byte, n uint64) {
	var word [8]byte
	binary.LittleEndian.PutUint64(word[:], n)
	copy(at, word[:])
}

func (g *generator) length() byte {
	switch g.IntN(8) {
	case 0:
		return 0
	case 1, 2:
		return sliceCap
	}
	return byte(g.IntN(sliceCap + 1))
}

// number makes a number of the given width; the bits above don't matter.
func (g *generator) number(bits uint) uint64 {
	switch g.IntN(8) {
	case 0: // 0, 1, 2, -1, -2
		return uint64(g.IntN(5)) - 2
	case 1: // the ends of the signed range
		return 1<<(bits-1) - uint64(g.IntN(3)) + 1
	case 2: // around a power of two, or its negative
		n := uint64(1)<<g.UintN(bits) + uint64(g.IntN(3)) - 1
		if g.IntN(2) == 0 {
			n = -n
		}
		return n
	case 3: // small
		return uint64(g.IntN(256)) - 128
	case 4:
		if n := len(g.words.numbers); n > 0 {
			return g.words.numbers[g.IntN(n)] + uint64(g.IntN(3)) - 1
		}
	}
	return g.Uint64() >> g.UintN(64)
}

// alphabets are what texts are made of; the empty one stands for all bytes.
var alphabets = []string{"", "0123456789", "0123456789abcdefABCDEFx", "0123456789.", "\x00\x01\xff", "aAzZ -+_/:\r\n"}

func (g *generator) bytes(at []byte) {
	alphabet := alphabets[g.IntN(len(alphabets))]
	for i := range at {
		if alphabet == "" {
			at[i] = byte(g.number(8))
		} else {
			at[i] = alphabet[g.IntN(len(alphabet))]
		}
	}
	if n := len(g.words.strings); n > 0 && g.IntN(3) == 0 {
		word := g.words.strings[g.IntN(n)]
		copy(at[g.IntN(2)*g.IntN(len(at)):], word)
	}
}
