package funcs

import "math/bits"

func FNV1a32(data [16]byte) uint32 {
	h := uint32(2166136261)
	for _, c := range data {
		h ^= uint32(c)
		h *= 16777619
	}
	return h
}

func FNV1a64(data []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range data {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func MurmurFinal32(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}

func MurmurFinal64(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// JenkinsMix is the mixing step of Jenkins's lookup3.
func JenkinsMix(a, b, c uint32) (uint32, uint32, uint32) {
	a -= c
	a ^= bits.RotateLeft32(c, 4)
	c += b
	b -= a
	b ^= bits.RotateLeft32(a, 6)
	a += c
	c -= b
	c ^= bits.RotateLeft32(b, 8)
	b += a
	a -= c
	a ^= bits.RotateLeft32(c, 16)
	c += b
	b -= a
	b ^= bits.RotateLeft32(a, 19)
	a += c
	c -= b
	c ^= bits.RotateLeft32(b, 4)
	b += a
	return a, b, c
}

func JenkinsOneAtATime(key []byte) (hash uint32) {
	for _, c := range key {
		hash += uint32(c)
		hash += hash << 10
		hash ^= hash >> 6
	}
	hash += hash << 3
	hash ^= hash >> 11
	hash += hash << 15
	return
}

type sipState struct{ v0, v1, v2, v3 uint64 }

func (s *sipState) round() {
	s.v0 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 13) ^ s.v0
	s.v0 = bits.RotateLeft64(s.v0, 32)
	s.v2 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 16) ^ s.v2
	s.v0 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 21) ^ s.v0
	s.v2 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 17) ^ s.v2
	s.v2 = bits.RotateLeft64(s.v2, 32)
}

func SipHash24(k0, k1 uint64, msg [3]uint64) uint64 {
	s := sipState{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
	for _, m := range msg {
		s.v3 ^= m
		s.round()
		s.round()
		s.v0 ^= m
	}
	s.v2 ^= 0xff
	for range 4 {
		s.round()
	}
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}

func CRC32Bitwise(data [8]byte) uint32 {
	crc := ^uint32(0)
	for _, b := range data {
		crc ^= uint32(b)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xedb88320
			} else {
				crc >>= 1
			}
		}
	}
	return ^crc
}

// nibbleTable is the CRC-32 table for four bits.
var nibbleTable = [16]uint32{
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
	0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
}

func CRC32Table(data []byte) uint32 {
	crc := ^uint32(0)
	for _, b := range data {
		crc = nibbleTable[(crc^uint32(b))&15] ^ crc>>4
		crc = nibbleTable[(crc^uint32(b)>>4)&15] ^ crc>>4
	}
	return ^crc
}

const (
	xxPrime1 = 0x9e3779b185ebca87
	xxPrime2 = 0xc2b2ae3d27d4eb4f
	xxPrime3 = 0x165667b19e3779f9
)

func XXHashLike(seed uint64, words [4]uint64) uint64 {
	acc := [4]uint64{seed + (xxPrime1+xxPrime2)&(1<<64-1), seed + xxPrime2, seed, seed - xxPrime1}
	for i, w := range words {
		acc[i] = bits.RotateLeft64(acc[i]+w*xxPrime2, 31) * xxPrime1
	}
	h := bits.RotateLeft64(acc[0], 1) + bits.RotateLeft64(acc[1], 7) + bits.RotateLeft64(acc[2], 12) + bits.RotateLeft64(acc[3], 18)
	h ^= h >> 33
	h *= xxPrime2
	h ^= h >> 29
	h *= xxPrime3
	return h ^ h>>32
}

func Adler32(data []byte) uint32 {
	a, b := uint32(1), uint32(0)
	for _, c := range data {
		a = (a + uint32(c)) % 65521
		b = (b + a) % 65521
	}
	return b<<16 | a
}

func Fletcher16(data [12]byte) uint16 {
	var s1, s2 uint16
	for _, b := range data {
		s1 = (s1 + uint16(b)) % 255
		s2 = (s2 + s1) % 255
	}
	return s2<<8 | s1
}

func XorShift(seed uint64, n uint8) uint64 {
	for range n & 15 {
		seed ^= seed << 13
		seed ^= seed >> 7
		seed ^= seed << 17
	}
	return seed
}

// Pearson hashes with a table computed on the spot.
func Pearson(data [6]byte, salt uint8) uint8 {
	var table [32]uint8
	for i := range table {
		table[i] = uint8(i*7) ^ salt
	}
	h := salt
	for _, b := range data {
		h = table[(h^b)&31] + b>>5
	}
	return h
}
