// Package bits is the kernel-side twin of math/bits: the same functions with the
// same results, written without tables, because BPF programs compute faster than
// they look up.
package bits

import (
	"math/bits"
	"unsafe"
)

// UintSize is the size of a uint in bits.
const UintSize = 64

// LeadingZeros returns the number of leading zero bits in x.
func LeadingZeros(x uint) int { return 64 - Len64(uint64(x)) }

// LeadingZeros8 returns the number of leading zero bits in x.
func LeadingZeros8(x uint8) int { return 8 - Len64(uint64(x)) }

// LeadingZeros16 returns the number of leading zero bits in x.
func LeadingZeros16(x uint16) int { return 16 - Len64(uint64(x)) }

// LeadingZeros32 returns the number of leading zero bits in x.
func LeadingZeros32(x uint32) int { return 32 - Len64(uint64(x)) }

// LeadingZeros64 returns the number of leading zero bits in x.
func LeadingZeros64(x uint64) int { return 64 - Len64(x) }

// TrailingZeros returns the number of trailing zero bits in x.
func TrailingZeros(x uint) int { return TrailingZeros64(uint64(x)) }

// TrailingZeros8 returns the number of trailing zero bits in x.
func TrailingZeros8(x uint8) int { return TrailingZeros64(uint64(x) | 1<<8) }

// TrailingZeros16 returns the number of trailing zero bits in x.
func TrailingZeros16(x uint16) int { return TrailingZeros64(uint64(x) | 1<<16) }

// TrailingZeros32 returns the number of trailing zero bits in x.
func TrailingZeros32(x uint32) int { return TrailingZeros64(uint64(x) | 1<<32) }

// TrailingZeros64 returns the number of trailing zero bits in x.
func TrailingZeros64(x uint64) int {
	// The bits below the lowest one are set in x-1 and not in x.
	return OnesCount64(^x & (x - 1))
}

// OnesCount returns the number of one bits in x.
func OnesCount(x uint) int { return OnesCount64(uint64(x)) }

// OnesCount8 returns the number of one bits in x.
func OnesCount8(x uint8) int { return OnesCount64(uint64(x)) }

// OnesCount16 returns the number of one bits in x.
func OnesCount16(x uint16) int { return OnesCount64(uint64(x)) }

// OnesCount32 returns the number of one bits in x.
func OnesCount32(x uint32) int { return OnesCount64(uint64(x)) }

const (
	m0 = 0x5555555555555555
	m1 = 0x3333333333333333
	m2 = 0x0f0f0f0f0f0f0f0f
)

// OnesCount64 returns the number of one bits in x.
func OnesCount64(x uint64) int {
	x -= x >> 1 & m0
	x = x>>2&m1 + x&m1
	x = (x>>4 + x) & m2
	return int(x * 0x0101010101010101 >> 56)
}

// RotateLeft returns x rotated left by k bits, right if k is negative.
func RotateLeft(x uint, k int) uint { return uint(RotateLeft64(uint64(x), k)) }

// RotateLeft8 returns x rotated left by k bits, right if k is negative.
func RotateLeft8(x uint8, k int) uint8 {
	s := uint(k) & 7
	return x<<s | x>>(8-s)
}

// RotateLeft16 returns x rotated left by k bits, right if k is negative.
func RotateLeft16(x uint16, k int) uint16 {
	s := uint(k) & 15
	return x<<s | x>>(16-s)
}

// RotateLeft32 returns x rotated left by k bits, right if k is negative.
func RotateLeft32(x uint32, k int) uint32 {
	s := uint(k) & 31
	return x<<s | x>>((32-s)&31)
}

// RotateLeft64 returns x rotated left by k bits, right if k is negative.
func RotateLeft64(x uint64, k int) uint64 {
	s := uint(k) & 63
	return x<<s | x>>((64-s)&63)
}

// Reverse returns x with its bits in reversed order.
func Reverse(x uint) uint { return uint(Reverse64(uint64(x))) }

// Reverse8 returns x with its bits in reversed order.
func Reverse8(x uint8) uint8 { return uint8(reverseInBytes(uint64(x))) }

// Reverse16 returns x with its bits in reversed order.
func Reverse16(x uint16) uint16 { return swap(uint16(reverseInBytes(uint64(x)))) }

// Reverse32 returns x with its bits in reversed order.
func Reverse32(x uint32) uint32 { return swap(uint32(reverseInBytes(uint64(x)))) }

// Reverse64 returns x with its bits in reversed order.
func Reverse64(x uint64) uint64 { return swap(reverseInBytes(x)) }

// reverseInBytes reverses the bits of each byte.
func reverseInBytes(x uint64) uint64 {
	x = x>>1&m0 | x&m0<<1
	x = x>>2&m1 | x&m1<<2
	return x>>4&m2 | x&m2<<4
}

// ReverseBytes returns x with its bytes in reversed order.
func ReverseBytes(x uint) uint { return uint(swap(uint64(x))) }

// ReverseBytes16 returns x with its bytes in reversed order.
func ReverseBytes16(x uint16) uint16 { return swap(x) }

// ReverseBytes32 returns x with its bytes in reversed order.
func ReverseBytes32(x uint32) uint32 { return swap(x) }

// ReverseBytes64 returns x with its bytes in reversed order.
func ReverseBytes64(x uint64) uint64 { return swap(x) }

// swap reverses the bytes of x, in one instruction.
//
//bpf:intrinsic bswap
func swap[T uint16 | uint32 | uint64](x T) T {
	switch unsafe.Sizeof(x) {
	case 2:
		return T(bits.ReverseBytes16(uint16(x)))
	case 4:
		return T(bits.ReverseBytes32(uint32(x)))
	}
	return T(bits.ReverseBytes64(uint64(x)))
}

// Len returns the number of bits needed to represent x; 0 for 0.
func Len(x uint) int { return Len64(uint64(x)) }

// Len8 returns the number of bits needed to represent x; 0 for 0.
func Len8(x uint8) int { return Len64(uint64(x)) }

// Len16 returns the number of bits needed to represent x; 0 for 0.
func Len16(x uint16) int { return Len64(uint64(x)) }

// Len32 returns the number of bits needed to represent x; 0 for 0.
func Len32(x uint32) int { return Len64(uint64(x)) }

// Len64 returns the number of bits needed to represent x; 0 for 0.
func Len64(x uint64) int {
	// Without a branch: set every bit below the highest one, then count.
	x |= x >> 1
	x |= x >> 2
	x |= x >> 4
	x |= x >> 8
	x |= x >> 16
	x |= x >> 32
	return OnesCount64(x)
}
