package stream

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Source is an endless stream of pseudo-random bytes, any part of which can be made
// by itself. Word n of it, eight bytes, is a bijection of n plus a key, so that the
// place of a word can be computed from its value.
type Source struct {
	key uint64
}

// NewSource returns the stream of a seed.
func NewSource(seed uint64) Source { return Source{key: mix(seed ^ 0x9e3779b97f4a7c15)} }

const wordSize = 8

// Fill writes the bytes at offset and after it to p.
func (s Source) Fill(p []byte, offset int64) {
	word := s.key + uint64(offset/wordSize)
	if skip := offset % wordSize; skip > 0 {
		var w [wordSize]byte
		binary.LittleEndian.PutUint64(w[:], mix(word))
		p = p[copy(p, w[skip:]):]
		word++
	}
	for ; len(p) >= wordSize; p = p[wordSize:] {
		binary.LittleEndian.PutUint64(p, mix(word))
		word++
	}
	if len(p) > 0 {
		var w [wordSize]byte
		binary.LittleEndian.PutUint64(w[:], mix(word))
		copy(p, w[:])
	}
}

// Differs returns the index of the first byte of p that is not the one at offset
// and after it, -1 if all are.
func (s Source) Differs(p []byte, offset int64) int {
	var want [4096]byte
	for i := 0; i < len(p); i += len(want) {
		part := p[i:min(i+len(want), len(p))]
		s.Fill(want[:len(part)], offset+int64(i))
		if !bytes.Equal(part, want[:len(part)]) {
			for j := range part {
				if part[j] != want[j] {
					return i + j
				}
			}
		}
	}
	return -1
}

// Locate tells which offset below size the bytes of p come from, if from any. It
// needs some twenty bytes to be sure.
func (s Source) Locate(p []byte, size int64) (offset int64, ok bool) {
	for shift := range wordSize {
		if len(p) < shift+wordSize {
			return 0, false
		}
		word := unmix(binary.LittleEndian.Uint64(p[shift:])) - s.key
		if word >= uint64(size)/wordSize {
			continue
		}
		offset := int64(word)*wordSize - int64(shift)
		if offset >= 0 && s.Differs(p[:shift+wordSize], offset) < 0 {
			return offset, true
		}
	}
	return 0, false
}

// The constants of mix, which is the finalizer of SplitMix64 (Steele, Lea, Flood:
// Fast Splittable Pseudorandom Number Generators, OOPSLA 2014), and their inverses
// modulo 2^64.
const (
	factor1, inverse1 = 0xbf58476d1ce4e5b9, 0x96de1b173f119089
	factor2, inverse2 = 0x94d049bb133111eb, 0x319642b2d24d8ec3
)

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * factor1
	x = (x ^ x>>27) * factor2
	return x ^ x>>31
}

func unmix(x uint64) uint64 {
	x = unshift(x, 31) * inverse2
	x = unshift(x, 27) * inverse1
	return unshift(x, 30)
}

// unshift is the inverse of x ^ x>>n.
func unshift(x uint64, n int) uint64 {
	for y, i := x, n; i < bits.UintSize; i += n {
		x = y ^ x>>n
	}
	return x
}
