// Package bits is the kernel-side twin of math/bits.
package bits

// UintSize is the size of a uint in bits.
const UintSize = 64
