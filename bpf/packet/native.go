package packet

import (
	"fmt"
	"net/netip"
	"strings"
)

// What this file declares is for user space and tests: it needs package
// net/netip and strings.

// AddrFrom converts an address of package net/netip; of an IPv6 zone nothing
// remains.
func AddrFrom(a netip.Addr) Addr { return a.As16() }

// MustParseAddr parses an IPv4 or IPv6 address and panics if there is none.
func MustParseAddr(s string) Addr { return AddrFrom(netip.MustParseAddr(s)) }

// Netip converts a to an address of package net/netip: an IPv4 address if one is
// mapped.
func (a Addr) Netip() netip.Addr { return netip.AddrFrom16(a).Unmap() }

// String returns the usual text of the address: 10.0.0.1 or 2001:db8::1.
func (a Addr) String() string { return a.Netip().String() }

// PrefixFrom converts a prefix of package net/netip. Bits of the address beyond
// the prefix become zero.
func PrefixFrom(p netip.Prefix) Prefix {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += v4Bits
	}
	return Prefix{Bits: uint32(bits), Addr: AddrFrom(p.Masked().Addr())}
}

// v4Bits is how much longer the prefix of a mapped IPv4 address is.
const v4Bits = 128 - 32

// MustParsePrefix parses an IPv4 or IPv6 prefix, 10.0.0.0/8, and panics if there
// is none.
func MustParsePrefix(s string) Prefix { return PrefixFrom(netip.MustParsePrefix(s)) }

// Netip converts p to a prefix of package net/netip: an IPv4 prefix if one is
// mapped.
func (p Prefix) Netip() netip.Prefix {
	addr, bits := p.Addr.Netip(), int(p.Bits)
	if addr.Is4() {
		bits -= v4Bits
	}
	return netip.PrefixFrom(addr, bits)
}

// String returns the usual text of the prefix: 10.0.0.0/8 or 2001:db8::/32.
func (p Prefix) String() string { return p.Netip().String() }

// String returns the usual text of the address: 02:00:00:00:00:01.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

var tcpFlagNames = [...]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"}

// String lists the control bits: SYN|ACK.
func (f TCPFlags) String() string {
	var set []string
	for i, name := range tcpFlagNames {
		if f>>i&1 != 0 {
			set = append(set, name)
		}
	}
	return strings.Join(set, "|")
}

var protoNames = map[Proto]string{
	ProtoHopByHop: "hop-by-hop", ProtoICMP: "ICMP", ProtoIPIP: "IPIP", ProtoTCP: "TCP", ProtoUDP: "UDP",
	ProtoIPv6: "IPv6", ProtoRouting: "routing", ProtoFragment: "fragment", ProtoGRE: "GRE", ProtoESP: "ESP",
	ProtoAH: "AH", ProtoICMPv6: "ICMPv6", ProtoNone: "none", ProtoDestOpts: "destination options",
	ProtoSCTP: "SCTP", ProtoMobility: "mobility",
}

// String names the protocol.
func (p Proto) String() string {
	if s, ok := protoNames[p]; ok {
		return s
	}
	return fmt.Sprintf("protocol %d", uint8(p))
}
