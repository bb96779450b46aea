package bpftest

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/waggle-bpf/waggle/bpf/packet"
)

// Packet describes a packet; its zero fields have usual values. Lengths and
// checksums are right by construction.
type Packet struct {
	// Src and Dst are addresses and ports: "10.0.0.1:40000", "[::1]:80".
	// Both are IPv4 or both IPv6.
	Src, Dst string
	Proto    packet.Proto // ProtoTCP unless set

	SrcMAC, DstMAC packet.MAC
	VLANs          []uint16 // tags, the outermost first
	NoEthernet     bool     // start at the IP header
	Pad            int      // zero bytes behind the IP packet, as on short frames

	TOS, TTL       uint8
	ID             uint16
	DontFragment   bool
	MoreFragments  bool
	FragmentOffset uint16 // in bytes, a multiple of 8
	IPv4Options    []byte // a multiple of 4 bytes, up to 40
	// IPv6Headers are extension headers, whole but for their first byte,
	// which says what follows.
	IPv6Headers []Extension
	FlowLabel   uint32

	Flags      packet.TCPFlags // ACK unless set
	Seq, Ack   uint32
	Window     uint16
	TCPOptions []byte // a multiple of 4 bytes, up to 40

	ICMPType, ICMPCode uint8
	ICMPID, ICMPSeq    uint16

	Payload string
}

// Extension is an IPv6 extension header.
type Extension struct {
	Proto packet.Proto
	Data  []byte // from its second byte on
}

// Bytes builds the packet. It panics on addresses that are none.
func (p Packet) Bytes() []byte {
	src, dst := parseEnd(p.Src), parseEnd(p.Dst)
	if src.Addr().Is4() != dst.Addr().Is4() {
		panic(fmt.Sprintf("bpftest: %s and %s are of different families", p.Src, p.Dst))
	}
	if p.Proto == 0 {
		p.Proto = packet.ProtoTCP
	}
	l4 := p.transport(src, dst)
	var b []byte
	if !p.NoEthernet {
		b = p.ethernet(src.Addr().Is4())
	}
	if src.Addr().Is4() {
		b = append(b, p.ipv4(src, dst, len(l4))...)
	} else {
		b = append(b, p.ipv6(src, dst, len(l4))...)
	}
	b = append(b, l4...)
	return append(b, make([]byte, p.Pad)...)
}

func parseEnd(s string) netip.AddrPort {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		panic(fmt.Sprintf("bpftest: %q is no address and port", s))
	}
	return netip.AddrPortFrom(a, 0)
}

func (p Packet) ethernet(v4 bool) []byte {
	b := append(p.DstMAC[:], p.SrcMAC[:]...)
	for i, id := range p.VLANs {
		tpid := uint16(0x8100)
		if i < len(p.VLANs)-1 {
			tpid = 0x88a8
		}
		b = binary.BigEndian.AppendUint16(b, tpid)
		b = binary.BigEndian.AppendUint16(b, id)
	}
	if v4 {
		return binary.BigEndian.AppendUint16(b, 0x0800)
	}
	return binary.BigEndian.AppendUint16(b, 0x86dd)
}

func (p Packet) ipv4(src, dst netip.AddrPort, n int) []byte {
	if p.TTL == 0 {
		p.TTL = 64
	}
	frag := p.FragmentOffset / 8
	if p.DontFragment {
		frag |= 0x4000
	}
	if p.MoreFragments {
		frag |= 0x2000
	}
	hl := packet.IPv4Len + len(p.IPv4Options)
	b := []byte{0x40 | byte(hl/4), p.TOS}
	b = binary.BigEndian.AppendUint16(b, uint16(hl+n))
	b = binary.BigEndian.AppendUint16(b, p.ID)
	b = binary.BigEndian.AppendUint16(b, frag)
	b = append(b, p.TTL, byte(p.Proto), 0, 0)
	b = append(b, src.Addr().AsSlice()...)
	b = append(b, dst.Addr().AsSlice()...)
	b = append(b, p.IPv4Options...)
	putChecksum(b[10:], packet.Sum(b, 0))
	return b
}

func (p Packet) ipv6(src, dst netip.AddrPort, n int) []byte {
	if p.TTL == 0 {
		p.TTL = 64
	}
	var ext []byte
	next := p.Proto
	exts := p.IPv6Headers
	if p.MoreFragments || p.FragmentOffset > 0 {
		frag := []byte{0, 0, 0, 0, 0, 0, 0}
		off := p.FragmentOffset &^ 7
		if p.MoreFragments {
			off |= 1
		}
		binary.BigEndian.PutUint16(frag[1:], off)
		binary.BigEndian.PutUint32(frag[3:], uint32(p.ID))
		exts = append(exts[:len(exts):len(exts)], Extension{packet.ProtoFragment, frag})
	}
	for i := len(exts) - 1; i >= 0; i-- {
		ext = append(append([]byte{byte(next)}, exts[i].Data...), ext...)
		next = exts[i].Proto
	}
	b := binary.BigEndian.AppendUint32(nil, 6<<28|uint32(p.TOS)<<20|p.FlowLabel)
	b = binary.BigEndian.AppendUint16(b, uint16(len(ext)+n))
	b = append(b, byte(next), p.TTL)
	b = append(b, src.Addr().AsSlice()...)
	b = append(b, dst.Addr().AsSlice()...)
	return append(b, ext...)
}

// transport builds the transport header and payload.
func (p Packet) transport(src, dst netip.AddrPort) []byte {
	if p.FragmentOffset > 0 {
		return []byte(p.Payload)
	}
	var b []byte
	sumAt := -1
	switch p.Proto {
	case packet.ProtoTCP:
		b, sumAt = p.tcp(src.Port(), dst.Port()), 16
	case packet.ProtoUDP:
		b = binary.BigEndian.AppendUint16(nil, src.Port())
		b = binary.BigEndian.AppendUint16(b, dst.Port())
		b = binary.BigEndian.AppendUint16(b, uint16(packet.UDPLen+len(p.Payload)))
		b, sumAt = append(b, 0, 0), 6
	case packet.ProtoICMP, packet.ProtoICMPv6:
		b = []byte{p.ICMPType, p.ICMPCode, 0, 0}
		b = binary.BigEndian.AppendUint16(b, p.ICMPID)
		b, sumAt = binary.BigEndian.AppendUint16(b, p.ICMPSeq), 2
	}
	b = append(b, p.Payload...)
	if sumAt < 0 {
		return b
	}
	var pseudo uint32
	if p.Proto != packet.ProtoICMP {
		pseudo = packet.SumPseudoHeader(packet.AddrFrom(src.Addr()), packet.AddrFrom(dst.Addr()), p.Proto, uint32(len(b)))
	}
	sum := packet.Sum(b, pseudo)
	putChecksum(b[sumAt:], sum)
	if p.Proto == packet.ProtoUDP && b[sumAt] == 0 && b[sumAt+1] == 0 {
		b[sumAt], b[sumAt+1] = 0xff, 0xff
	}
	return b
}

func (p Packet) tcp(src, dst uint16) []byte {
	if p.Flags == 0 {
		p.Flags = packet.ACK
	}
	if p.Window == 0 {
		p.Window = 0xffff
	}
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = binary.BigEndian.AppendUint32(b, p.Seq)
	b = binary.BigEndian.AppendUint32(b, p.Ack)
	b = append(b, byte(packet.TCPLen+len(p.TCPOptions))<<2, byte(p.Flags))
	b = binary.BigEndian.AppendUint16(b, p.Window)
	b = append(b, 0, 0, 0, 0)
	return append(b, p.TCPOptions...)
}

// putChecksum finishes a partial checksum; it lies in memory as the sum does.
func putChecksum(b []byte, partial uint32) {
	binary.NativeEndian.PutUint16(b, uint16(packet.Finish(partial)))
}
