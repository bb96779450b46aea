package bpf

import (
	"math/bits"
	"unsafe"
)

// BE16 is a 16-bit number as it lies on the wire: in network byte order. Fields
// of network headers have this type so that the order can't be forgotten.
// Comparing two BE16 for equality needs no conversion.
type BE16 uint16

// BE32 is a 32-bit number in network byte order.
type BE32 uint32

// BE64 is a 64-bit number in network byte order.
type BE64 uint64

// Host returns the number in the machine's byte order.
func (v BE16) Host() uint16 { return uint16(Bswap(v)) }

// Host returns the number in the machine's byte order.
func (v BE32) Host() uint32 { return uint32(Bswap(v)) }

// Host returns the number in the machine's byte order.
func (v BE64) Host() uint64 { return uint64(Bswap(v)) }

// ToBE16 returns v in network byte order. Of a constant it is a constant.
func ToBE16(v uint16) BE16 { return BE16(Bswap(v)) }

// ToBE32 returns v in network byte order. Of a constant it is a constant.
func ToBE32(v uint32) BE32 { return BE32(Bswap(v)) }

// ToBE64 returns v in network byte order. Of a constant it is a constant.
func ToBE64(v uint64) BE64 { return BE64(Bswap(v)) }

// Unsigned is the set of types that Bswap works on.
type Unsigned interface {
	~uint16 | ~uint32 | ~uint64
}

// Bswap reverses the order of v's bytes.
//
//bpf:intrinsic bswap
func Bswap[T Unsigned](v T) T {
	switch unsafe.Sizeof(v) {
	case 2:
		return T(bits.ReverseBytes16(uint16(v)))
	case 4:
		return T(bits.ReverseBytes32(uint32(v)))
	}
	return T(bits.ReverseBytes64(uint64(v)))
}
