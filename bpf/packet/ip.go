package packet

import "github.com/waggle-bpf/waggle/bpf"

// Proto is a transport protocol or IPv6 extension header: the IPv4 field
// "protocol" and the IPv6 field "next header".
type Proto uint8

// The protocols (IANA protocol numbers).
const (
	ProtoHopByHop Proto = 0
	ProtoICMP     Proto = 1
	ProtoIPIP     Proto = 4
	ProtoTCP      Proto = 6
	ProtoUDP      Proto = 17
	ProtoIPv6     Proto = 41
	ProtoRouting  Proto = 43
	ProtoFragment Proto = 44
	ProtoGRE      Proto = 47
	ProtoESP      Proto = 50
	ProtoAH       Proto = 51
	ProtoICMPv6   Proto = 58
	ProtoNone     Proto = 59 // nothing follows
	ProtoDestOpts Proto = 60
	ProtoSCTP     Proto = 132
	ProtoMobility Proto = 135
)

// IPv4 is the fixed part of an IPv4 header (RFC 791).
type IPv4 struct {
	VersionIHL uint8    // version and header length in words
	TOS        uint8    // differentiated services and congestion notification
	TotalLen   bpf.BE16 // header and payload in bytes; 0 on GSO packets over 64 KiB
	ID         bpf.BE16
	Frag       bpf.BE16 // flags and fragment offset
	TTL        uint8
	Proto      Proto
	Checksum   bpf.BE16
	SrcIP      bpf.BE32
	DstIP      bpf.BE32
}

// IPv4Len is the size of an IPv4 header without options in bytes.
const IPv4Len = 20

// Bits of IPv4.Frag, in network byte order.
const (
	FragDont   bpf.BE16 = 0x0040 // 0x4000: don't fragment
	FragMore   bpf.BE16 = 0x0020 // 0x2000: more fragments follow
	FragOffset bpf.BE16 = 0xff1f // 0x1fff: offset in units of 8 bytes
)

// Version returns the header's version field, 4.
func (h *IPv4) Version() uint8 { return h.VersionIHL >> 4 }

// HeaderLen returns the length of the header with its options in bytes: 20 to
// 60 on a well-formed packet.
func (h *IPv4) HeaderLen() int { return int(h.VersionIHL&0xf) << 2 }

// IsFragment reports whether the packet is a piece of a bigger one.
func (h *IPv4) IsFragment() bool { return h.Frag&(FragMore|FragOffset) != 0 }

// IsLaterFragment reports whether the packet is a piece other than the first,
// so that no transport header follows.
func (h *IPv4) IsLaterFragment() bool { return h.Frag&FragOffset != 0 }

// Src returns the source address.
func (h *IPv4) Src() Addr { return AddrFrom4(h.SrcIP) }

// Dst returns the destination address.
func (h *IPv4) Dst() Addr { return AddrFrom4(h.DstIP) }

// IPv6 is an IPv6 header (RFC 8200).
type IPv6 struct {
	VersionClassFlow bpf.BE32
	PayloadLen       bpf.BE16 // what follows in bytes, extension headers included; 0 on GSO packets over 64 KiB
	NextHeader       Proto
	HopLimit         uint8
	SrcIP            Addr
	DstIP            Addr
}

// IPv6Len is the size of an IPv6 header in bytes.
const IPv6Len = 40

// Version returns the header's version field, 6.
func (h *IPv6) Version() uint8 { return uint8(h.VersionClassFlow&0xff) >> 4 }

// FlowLabel returns the flow label, 20 bits.
func (h *IPv6) FlowLabel() uint32 { return h.VersionClassFlow.Host() & 0xfffff }

// TrafficClass returns the traffic class: what IPv4 calls TOS.
func (h *IPv6) TrafficClass() uint8 { return uint8(h.VersionClassFlow.Host() >> 20) }

// Src returns the source address.
func (h *IPv6) Src() Addr { return h.SrcIP }

// Dst returns the destination address.
func (h *IPv6) Dst() Addr { return h.DstIP }

// IPv6Ext is the start of an IPv6 extension header.
type IPv6Ext struct {
	NextHeader Proto
	Len        uint8    // in units of 8 bytes beyond the first 8; of an AH, of 4; of a fragment header, nothing
	OffsetMore bpf.BE16 // of a fragment header: offset in units of 8 bytes, 2 bits unused, more fragments
	ID         bpf.BE32 // of a fragment header
}

const ipv6FragOffset bpf.BE16 = 0xf8ff // 0xfff8
