// Package binary is the kernel-side twin of the byte orders of encoding/binary.
package binary

import "encoding/binary"

// A ByteOrder specifies how to convert bytes to numbers. Kernel code has no
// interface values: it is for constraints.
type ByteOrder interface {
	Uint16([]byte) uint16
	Uint32([]byte) uint32
	Uint64([]byte) uint64
	PutUint16([]byte, uint16)
	PutUint32([]byte, uint32)
	PutUint64([]byte, uint64)
}

type (
	littleEndian struct{}
	bigEndian    struct{}
	nativeEndian struct{ littleEndian }
)

// The byte orders. The machine's own is little-endian, as BPF is wherever this
// compiler's objects run.
var (
	LittleEndian littleEndian
	BigEndian    bigEndian
	NativeEndian nativeEndian
)

// Uint16 returns the number in the first two bytes of b.
//
//bpf:intrinsic binary.load le 2
func (littleEndian) Uint16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }

// Uint32 returns the number in the first four bytes of b.
//
//bpf:intrinsic binary.load le 4
func (littleEndian) Uint32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// Uint64 returns the number in the first eight bytes of b.
//
//bpf:intrinsic binary.load le 8
func (littleEndian) Uint64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// PutUint16 stores v into the first two bytes of b.
//
//bpf:intrinsic binary.store le 2
func (littleEndian) PutUint16(b []byte, v uint16) { binary.LittleEndian.PutUint16(b, v) }

// PutUint32 stores v into the first four bytes of b.
//
//bpf:intrinsic binary.store le 4
func (littleEndian) PutUint32(b []byte, v uint32) { binary.LittleEndian.PutUint32(b, v) }

// PutUint64 stores v into the first eight bytes of b.
//
//bpf:intrinsic binary.store le 8
func (littleEndian) PutUint64(b []byte, v uint64) { binary.LittleEndian.PutUint64(b, v) }

// Uint16 returns the number in the first two bytes of b.
//
//bpf:intrinsic binary.load be 2
func (bigEndian) Uint16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

// Uint32 returns the number in the first four bytes of b.
//
//bpf:intrinsic binary.load be 4
func (bigEndian) Uint32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// Uint64 returns the number in the first eight bytes of b.
//
//bpf:intrinsic binary.load be 8
func (bigEndian) Uint64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// PutUint16 stores v into the first two bytes of b.
//
//bpf:intrinsic binary.store be 2
func (bigEndian) PutUint16(b []byte, v uint16) { binary.BigEndian.PutUint16(b, v) }

// PutUint32 stores v into the first four bytes of b.
//
//bpf:intrinsic binary.store be 4
func (bigEndian) PutUint32(b []byte, v uint32) { binary.BigEndian.PutUint32(b, v) }

// PutUint64 stores v into the first eight bytes of b.
//
//bpf:intrinsic binary.store be 8
func (bigEndian) PutUint64(b []byte, v uint64) { binary.BigEndian.PutUint64(b, v) }
