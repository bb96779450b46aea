package packet

import "unsafe"

// Bytes is a packet, or a piece of one that reaches to its end. It may be
// indexed, ranged over and sliced like any []byte; reading past its end is a
// fault, which At and HasPrefix avoid by saying that the bytes are not there.
//
// In the kernel its end is the end of the packet's memory, and every access is
// checked against that. An offset that is not constant must stay below 32 KiB;
// what lies further counts as past the end.
//
//bpf:packet
type Bytes []byte

// At returns a pointer to the T at offset off, or nil if b is too short. T must
// hold no pointers. Writing through the pointer changes the packet, where the
// hook allows it.
//
//bpf:intrinsic packet.at
func At[T any](b Bytes, off int) *T {
	var t T
	if off < 0 || off > len(b) || int(unsafe.Sizeof(t)) > len(b)-off {
		return nil
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(b[off:])))
}

// HasPrefix reports whether b starts with s, which must be a constant.
//
//bpf:intrinsic packet.hasprefix
func (b Bytes) HasPrefix(s string) bool {
	return len(b) >= len(s) && string(b[:len(s)]) == s
}
