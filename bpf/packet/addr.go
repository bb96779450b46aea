package packet

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
)

// Addr is an IPv6 address, or an IPv4 address mapped into IPv6 (::ffff:a.b.c.d,
// RFC 4291 2.5.5.2). It is a map key for both.
type Addr [16]byte

// AddrFrom4 maps an IPv4 address into IPv6.
func AddrFrom4(ip bpf.BE32) Addr {
	var a Addr
	*a.word(2) = 0xffff0000
	*a.word(3) = ip
	return a
}

// AddrFromWords makes an address of the four words that contexts hold one in.
func AddrFromWords(w [4]bpf.BE32) Addr {
	var a Addr
	*a.word(0) = w[0]
	*a.word(1) = w[1]
	*a.word(2) = w[2]
	*a.word(3) = w[3]
	return a
}

// Words returns the address as contexts and kernel structures hold it.
func (a Addr) Words() [4]bpf.BE32 {
	return [4]bpf.BE32{*a.word(0), *a.word(1), *a.word(2), *a.word(3)}
}

// word returns a pointer to 32-bit word i.
func (a *Addr) word(i int) *bpf.BE32 { return (*bpf.BE32)(unsafe.Pointer(&a[4*i])) }

// Is4 reports whether a is a mapped IPv4 address.
func (a Addr) Is4() bool {
	return *a.word(0) == 0 && *a.word(1) == 0 && *a.word(2) == 0xffff0000
}

// As4 returns the IPv4 address that is mapped into a.
func (a Addr) As4() bpf.BE32 { return *a.word(3) }

// IPv4Addr returns the address a.b.c.d as it lies in a header. Of constants it
// is a constant.
func IPv4Addr(a, b, c, d uint8) bpf.BE32 {
	return bpf.BE32(uint32(a) | uint32(b)<<8 | uint32(c)<<16 | uint32(d)<<24)
}

// Prefix is a range of addresses: those that begin with the first Bits bits of
// Addr. It is a key for bpf.LPMTrie. IPv4 addresses are mapped, so that their
// prefixes have 96 bits more than usual, and are part of ::/0.
type Prefix struct {
	Bits uint32
	Addr Addr
}

// Prefix returns the prefix of a alone: what to look up.
func (a Addr) Prefix() Prefix { return Prefix{Bits: 128, Addr: a} }
