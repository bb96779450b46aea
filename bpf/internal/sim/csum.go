package sim

import "encoding/binary"

// Flags of l3_csum_replace and l4_csum_replace.
const (
	csumSize     = 0xf
	csumPseudo   = 1 << 4
	csumMangled0 = 1 << 5
	csumEnforce  = 1 << 6
)

// sum adds up 16-bit words as they lie in memory.
func sum(b []byte, s uint64) uint64 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint64(binary.NativeEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint64(b[0])
	}
	return s
}

// fold adds the carries back in, down to 16 bits.
func fold(s uint64) uint16 {
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

// CsumDiff is the kernel's csum_diff.
func CsumDiff(from, to []byte, seed uint32) uint32 {
	s := uint64(seed&0xffff) + uint64(seed>>16)
	s = sum(to, s) + uint64(^fold(sum(from, 0)))
	return uint32(fold(s))
}

// CsumReplace updates the checksum at off for a field that changes from one
// value to another, or, with size 0, by a difference from CsumDiff.
func (p *Packet) CsumReplace(off int, from, to, flags uint64) int32 {
	var word [2]byte
	if errno := p.Load(off, word[:]); errno != 0 {
		return errno
	}
	old := binary.NativeEndian.Uint16(word[:])
	if flags&csumMangled0 != 0 && flags&csumEnforce == 0 && old == 0 {
		return 0
	}
	var diff uint64
	switch flags & csumSize {
	case 0:
		diff = uint64(fold(to))
	case 2:
		diff = uint64(^uint16(from)) + uint64(uint16(to))
	case 4:
		diff = uint64(^fold(uint64(uint32(from)))) + uint64(fold(uint64(uint32(to))))
	default:
		return eInval
	}
	sum := ^fold(uint64(^old) + diff)
	if sum == 0 && flags&csumMangled0 != 0 {
		sum = 0xffff
	}
	binary.NativeEndian.PutUint16(word[:], sum)
	return p.Store(off, word[:])
}
