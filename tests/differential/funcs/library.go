package funcs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

func BitCounts(a uint8, b uint16, c uint32, d uint64) (r [12]uint8) {
	r[0] = uint8(bits.LeadingZeros8(a))
	r[1] = uint8(bits.LeadingZeros16(b))
	r[2] = uint8(bits.LeadingZeros32(c))
	r[3] = uint8(bits.LeadingZeros64(d))
	r[4] = uint8(bits.TrailingZeros8(a))
	r[5] = uint8(bits.TrailingZeros16(b))
	r[6] = uint8(bits.TrailingZeros32(c))
	r[7] = uint8(bits.TrailingZeros64(d))
	r[8] = uint8(bits.OnesCount8(a))
	r[9] = uint8(bits.OnesCount16(b))
	r[10] = uint8(bits.OnesCount32(c))
	r[11] = uint8(bits.OnesCount64(d))
	return r
}

func BitLens(a uint8, b uint16, c uint32, d uint64) (int, int, int, int) {
	return bits.Len8(a), bits.Len16(b), bits.Len32(c), bits.Len64(d)
}

func BitReverse(a uint8, b uint16, c uint32, d uint64) (uint8, uint16, uint32, uint64) {
	return bits.Reverse8(a), bits.Reverse16(b), bits.Reverse32(c), bits.Reverse64(d)
}

func ByteReverse(b uint16, c uint32, d uint64) (uint16, uint32, uint64) {
	return bits.ReverseBytes16(b), bits.ReverseBytes32(c), bits.ReverseBytes64(d)
}

func ByteReverseTwice(b uint16, c uint32) (uint16, uint32, uint32, bool) {
	x := bits.ReverseBytes16(b)
	return bits.ReverseBytes16(x + 1), bits.ReverseBytes32(bits.ReverseBytes32(c)), uint32(bits.ReverseBytes16(uint16(c))) << 3, x < b
}

func Rotations(a uint8, b uint16, c uint32, d uint64, k int) (uint8, uint16, uint32, uint64) {
	return bits.RotateLeft8(a, k), bits.RotateLeft16(b, k), bits.RotateLeft32(c, k), bits.RotateLeft64(d, k)
}

func WideArithmetic(x, y, carry uint64) (uint64, uint64, uint64, uint64, uint64, uint64) {
	sum, c := bits.Add64(x, y, carry&1)
	diff, b := bits.Sub64(x, y, carry&1)
	hi, lo := bits.Mul64(x, y)
	return sum, c, diff, b, hi, lo
}

func WideDivision(hi, lo, y uint64) (uint64, uint64) { return bits.Div64(hi%(y|1), lo, y|1) }

func BigEndian(buf *[16]byte, a uint16, b uint32, c uint64) (uint16, uint32, uint64) {
	x, y, z := binary.BigEndian.Uint16(buf[1:]), binary.BigEndian.Uint32(buf[2:]), binary.BigEndian.Uint64(buf[8:])
	binary.BigEndian.PutUint16(buf[0:], a)
	binary.BigEndian.PutUint32(buf[2:6], b)
	binary.BigEndian.PutUint64(buf[7:], c)
	return x, y, z
}

func LittleEndian(buf []byte, a uint32) (uint16, uint32) {
	x, y := binary.LittleEndian.Uint16(buf), binary.LittleEndian.Uint32(buf[3:])
	binary.LittleEndian.PutUint32(buf[5:], a)
	return x, y
}

func BytesFunctions(a, b []byte, c byte) (bool, int, bool, int) {
	return bytes.Equal(a, b), bytes.IndexByte(a, c), bytes.HasPrefix(a, b), bytes.Compare(a, b)
}

func SlicesFunctions(s []int16, x int16) (int, bool, bool) {
	return slices.Index(s, x), slices.Contains(s, x), slices.IsSorted(s)
}

func SlicesMinMax(s []int16) (int16, int16) { return slices.Min(s), slices.Max(s) }

func SlicesReverse(s []uint32) { slices.Reverse(s) }

func Cmp(a, b int8, c, d uint64) (int, int, bool) {
	return cmp.Compare(a, b), cmp.Compare(c, d), cmp.Less(a, b)
}

func Limits(a int8, b uint16, c int32, d uint64) (bool, bool, bool, bool) {
	return a == math.MinInt8, b == math.MaxUint16, c >= math.MaxInt32-1, d > math.MaxInt64
}
