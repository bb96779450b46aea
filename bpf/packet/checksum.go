package packet

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
)

// UpdateChecksum returns what a checksum becomes when a 16-bit word that it
// covers changes from one value to another, without looking at the other words
// (RFC 1624 eqn. 3).
func UpdateChecksum(sum, from, to bpf.BE16) bpf.BE16 {
	return ^fold(uint32(^sum) + uint32(^from) + uint32(to))
}

// UpdateChecksum32 is UpdateChecksum for a 32-bit field: an IPv4 address, a
// sequence number.
func UpdateChecksum32(sum bpf.BE16, from, to bpf.BE32) bpf.BE16 {
	gone := ^from
	return ^fold(uint32(^sum) + uint32(gone&0xffff) + uint32(gone>>16) + uint32(to&0xffff) + uint32(to>>16))
}

// UpdateUDPChecksum is UpdateChecksum for UDP, where a checksum of 0 means that
// there is none and stays.
func UpdateUDPChecksum(sum, from, to bpf.BE16) bpf.BE16 {
	if sum == 0 {
		return 0
	}
	sum = UpdateChecksum(sum, from, to)
	if sum == 0 {
		return 0xffff
	}
	return sum
}

// fold adds the carries of a sum of 16-bit words back in.
func fold(s uint32) bpf.BE16 {
	s = s&0xffff + s>>16
	return bpf.BE16(s&0xffff + s>>16)
}

// ComputeChecksum returns the header checksum of an IPv4 header without options.
// The field itself counts as 0.
func (h *IPv4) ComputeChecksum() bpf.BE16 {
	words := (*[IPv4Len / 2]bpf.BE16)(unsafe.Pointer(h))
	sum := uint32(^h.Checksum) // takes the field back out
	for i := range words {
		sum += uint32(words[i])
	}
	return ^fold(sum)
}

// Sum adds the 16-bit words of b to a partial checksum; an odd byte at the end
// counts as if a zero followed. Finish makes a checksum of the result.
func Sum(b []byte, partial uint32) uint32 {
	s := uint64(partial)
	n := len(b) &^ 1
	for i := 0; i < n; i += 2 {
		s += uint64(b[i]) | uint64(b[i+1])<<8
	}
	if n < len(b) {
		s += uint64(b[n])
	}
	s = s&0xffffffff + s>>32
	return uint32(s&0xffffffff + s>>32)
}

// SumPseudoHeader returns the partial checksum of the pseudo header that TCP,
// UDP and ICMPv6 checksums cover; n is the length of transport header and
// payload (RFC 9293 3.1, RFC 8200 8.1).
func SumPseudoHeader(src, dst Addr, proto Proto, n uint32) uint32 {
	// The prefix ffff of a mapped IPv4 address adds nothing: in one's
	// complement 0xffff is zero.
	s := Sum(dst[:], Sum(src[:], uint32(proto)<<8))
	be := uint32(bpf.ToBE32(n))
	return fold32(s, be)
}

// fold32 adds two partial checksums.
func fold32(a, b uint32) uint32 {
	s := uint64(a) + uint64(b)
	return uint32(s&0xffffffff + s>>32)
}

// Finish makes a checksum of a partial one.
func Finish(partial uint32) bpf.BE16 { return ^fold(partial) }
