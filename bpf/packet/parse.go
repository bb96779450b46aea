package packet

import "github.com/waggle-bpf/waggle/bpf"

// Limits of what Parse walks through; the verifier wants them.
const (
	maxVLANs = 2 // QinQ
	maxExts  = 6 // RFC 8200 4.1 lists seven, one of them twice; real packets have one or two
)

// Packet is what Parse found. A nil header is not there.
type Packet struct {
	Eth *Ethernet
	// VLAN is the outermost tag, nil if the packet has none.
	VLAN *VLAN
	IPv4 *IPv4
	IPv6 *IPv6
	TCP  *TCP
	UDP  *UDP
	// ICMP is the header of an ICMP or ICMPv6 message; Proto says which.
	ICMP *ICMP
	// Proto is the protocol behind the IP header and its extensions. It is
	// only meaningful for an IP packet.
	Proto Proto
	// Fragment says that the packet is a piece of a bigger one. Pieces other
	// than the first have no transport header.
	Fragment bool
	// L3, L4 and L7 are the offsets of IP header, transport header and
	// payload; 0 if not there.
	L3, L4, L7 int
	// End is the offset behind the last byte of the IP packet, from its
	// length field. It is beyond the bytes given to Parse if these are only
	// the first part of the packet, and before their end if padding follows.
	End int
	// Payload is what follows the transport header, as far as it lies in the
	// bytes given to Parse, without padding.
	Payload Bytes
}

// Parse reads a packet that starts with an Ethernet header.
func Parse(b Bytes) (p Packet) {
	p.Eth = At[Ethernet](b, 0)
	if p.Eth == nil {
		return p
	}
	typ, off := p.Eth.Type, EthernetLen
	for range maxVLANs {
		if !IsVLAN(typ) {
			break
		}
		tag := At[VLAN](b, off)
		if tag == nil {
			break
		}
		if p.VLAN == nil {
			p.VLAN = tag
		}
		typ, off = tag.Type, off+VLANLen
	}
	p.network(b, typ, off)
	return p
}

// ParseIP reads a packet that starts with an IPv4 or IPv6 header, as cgroup
// programs and interfaces without link layer see it.
func ParseIP(b Bytes) (p Packet) {
	first := At[uint8](b, 0)
	if first == nil {
		return p
	}
	switch *first >> 4 {
	case 4:
		p.network(b, TypeIPv4, 0)
	case 6:
		p.network(b, TypeIPv6, 0)
	}
	return p
}

// network reads the IP header at off and all behind it.
func (p *Packet) network(b Bytes, typ bpf.BE16, off int) {
	l4 := 0
	switch typ {
	case TypeIPv4:
		l4 = p.ipv4(b, off)
	case TypeIPv6:
		l4 = p.ipv6(b, off)
	}
	if l4 == 0 {
		return
	}
	if n := p.transport(b, l4); n > 0 {
		p.payload(b, l4, l4+n)
	}
}

// ipv4 reads the IPv4 header at off and returns the offset of what follows; 0 if
// there is nothing to read.
func (p *Packet) ipv4(b Bytes, off int) int {
	h := At[IPv4](b, off)
	if h == nil || h.HeaderLen() < IPv4Len {
		return 0
	}
	p.IPv4, p.L3, p.Proto, p.Fragment = h, off, h.Proto, h.IsFragment()
	p.setEnd(b, off, h.TotalLen)
	if h.IsLaterFragment() {
		return 0
	}
	return off + h.HeaderLen()
}

// ipv6 reads the IPv6 header at off and its extension headers, and returns the
// offset of what follows; 0 if there is nothing to read.
func (p *Packet) ipv6(b Bytes, off int) int {
	h := At[IPv6](b, off)
	if h == nil {
		return 0
	}
	p.IPv6, p.L3, p.Proto = h, off, h.NextHeader
	off += IPv6Len
	p.setEnd(b, off, h.PayloadLen)
	ext := 0 // length of the extension headers
	for range maxExts {
		unit := extUnits[p.Proto]
		if unit == 0 {
			return off + ext
		}
		h := At[IPv6Ext](b, off+ext)
		if h == nil {
			return 0
		}
		later := false
		if p.Proto == ProtoFragment {
			p.Fragment = true
			later = h.OffsetMore&ipv6FragOffset != 0
		}
		p.Proto = h.NextHeader
		if later {
			return 0
		}
		ext = (ext + 8 + int(h.Len)*int(unit&^1)) & extMask
	}
	return 0
}

// extMask holds the length of maxExts extension headers of 2048 bytes. Cutting
// the sum down to it changes nothing, but it gives the verifier one range for all
// rounds of the loop, where it would otherwise follow each.
const extMask = 0x3fff

// extUnits is, by protocol, the size in bytes of what the length of an IPv6
// extension header counts; 1 if the header is 8 bytes long and has no length, 0
// if it is no extension header. A table, because the verifier follows every way
// through a switch, in each round.
//
//bpf:const
var extUnits = [256]uint8{
	ProtoHopByHop: 8, ProtoRouting: 8, ProtoDestOpts: 8, ProtoMobility: 8,
	ProtoAH:       4,
	ProtoFragment: 1,
}

// setEnd notes where the IP packet ends: n bytes behind off.
func (p *Packet) setEnd(b Bytes, off int, n bpf.BE16) {
	p.End = off + int(n.Host())
	if n == 0 {
		p.End = len(b)
	}
}

// transport reads the transport header at off and returns its length; 0 if there
// is none.
func (p *Packet) transport(b Bytes, off int) int {
	switch p.Proto {
	case ProtoTCP:
		h := At[TCP](b, off)
		if h == nil || h.HeaderLen() < TCPLen {
			return 0
		}
		p.TCP = h
		return h.HeaderLen()
	case ProtoUDP:
		if p.UDP = At[UDP](b, off); p.UDP != nil {
			return UDPLen
		}
	case ProtoICMP, ProtoICMPv6:
		if p.ICMP = At[ICMP](b, off); p.ICMP != nil {
			return ICMPLen
		}
	}
	return 0
}

// payload notes where transport header and payload start, and cuts the padding
// off that Ethernet adds to short packets. Asking At first lets the compiler
// prove that the slices don't fault.
func (p *Packet) payload(b Bytes, l4, l7 int) {
	p.L4, p.L7 = l4, l7
	if At[struct{}](b, l7) == nil || l7 > p.End {
		return
	}
	p.Payload = b[l7:]
	if n := p.End - l7; At[struct{}](p.Payload, n) != nil {
		p.Payload = p.Payload[:n]
	}
}

// IsIP reports whether p is an IPv4 or IPv6 packet.
func (p *Packet) IsIP() bool { return p.IPv4 != nil || p.IPv6 != nil }

// IsTCP reports whether p has a TCP header.
func (p *Packet) IsTCP() bool { return p.TCP != nil }

// IsUDP reports whether p has a UDP header.
func (p *Packet) IsUDP() bool { return p.UDP != nil }

// Src returns the source address; all zero if p is no IP packet.
func (p *Packet) Src() Addr {
	if p.IPv4 != nil {
		return p.IPv4.Src()
	}
	if p.IPv6 != nil {
		return p.IPv6.Src()
	}
	return Addr{}
}

// Dst returns the destination address; all zero if p is no IP packet.
func (p *Packet) Dst() Addr {
	if p.IPv4 != nil {
		return p.IPv4.Dst()
	}
	if p.IPv6 != nil {
		return p.IPv6.Dst()
	}
	return Addr{}
}

// SrcPort returns the source port of TCP and UDP; else 0.
func (p *Packet) SrcPort() uint16 {
	if p.TCP != nil {
		return p.TCP.SrcPort.Host()
	}
	if p.UDP != nil {
		return p.UDP.SrcPort.Host()
	}
	return 0
}

// DstPort returns the destination port of TCP and UDP; else 0.
func (p *Packet) DstPort() uint16 {
	if p.TCP != nil {
		return p.TCP.DstPort.Host()
	}
	if p.UDP != nil {
		return p.UDP.DstPort.Host()
	}
	return 0
}

// PayloadLen returns the length of the payload by the IP header's account: it
// exceeds len(Payload) if only the first part of the packet was given to Parse.
func (p *Packet) PayloadLen() int {
	if p.L7 == 0 || p.End < p.L7 {
		return 0
	}
	return p.End - p.L7
}
