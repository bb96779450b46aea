// Package kern reads packets with everything that package packet has, and stores
// what it finds where the test can compare it.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Summary is what the programs found.
type Summary struct {
	Src, Dst         packet.Addr
	SrcPort, DstPort uint16
	Headers          uint16 // a bit for each header
	Proto            packet.Proto
	Fragment         bool
	L3, L4, L7, End  int32
	PayloadLen       int32 // by the header
	Reach            int32 // len(Payload)
	First, Last      uint32
	Checksum         bpf.BE16

	Method            packet.Method
	Minor             int8
	Target, TargetEnd int32
	Status            int32

	MSS                   uint16
	Scale                 uint8
	Flags                 uint8
	TSVal, TSEcr          uint32
	SACK, SACKBlocks      int32
	VLAN                  uint16
	TrafficClass, Version uint8
	FlowLabel             uint32
}

// Found holds one Summary.
var Found = bpf.Array[Summary]{MaxEntries: 1}

// Parse reads the headers.
//
//bpf:xdp
func Parse(ctx *xdp.Context) xdp.Action {
	if s := Found.Lookup(0); s != nil {
		p := packet.Parse(ctx.Data())
		s.fill(&p)
	}
	return xdp.Pass
}

// ParseIP reads the headers of a packet without Ethernet header.
//
//bpf:xdp
func ParseIP(ctx *xdp.Context) xdp.Action {
	if s := Found.Lookup(0); s != nil {
		p := packet.ParseIP(ctx.Data())
		s.fill(&p)
	}
	return xdp.Pass
}

func (s *Summary) fill(p *packet.Packet) {
	s.Src, s.Dst, s.SrcPort, s.DstPort = p.Src(), p.Dst(), p.SrcPort(), p.DstPort()
	s.Proto, s.Fragment = p.Proto, p.Fragment
	s.L3, s.L4, s.L7, s.End = int32(p.L3), int32(p.L4), int32(p.L7), int32(p.End)
	s.PayloadLen, s.Reach = int32(p.PayloadLen()), int32(len(p.Payload))
	s.Headers = bit(p.Eth != nil, 0) | bit(p.VLAN != nil, 1) | bit(p.IPv4 != nil, 2) | bit(p.IPv6 != nil, 3) |
		bit(p.TCP != nil, 4) | bit(p.UDP != nil, 5) | bit(p.ICMP != nil, 6) | bit(p.IsIP(), 7)
	if w := packet.At[uint32](p.Payload, 0); w != nil {
		s.First = *w
	}
	if w := packet.At[uint32](p.Payload, len(p.Payload)-4); w != nil {
		s.Last = *w
	}
	if p.VLAN != nil {
		s.VLAN = p.VLAN.ID()<<3 | uint16(p.VLAN.Priority())
	}
	if p.IPv4 != nil {
		s.Version = p.IPv4.Version()
		s.Checksum = p.IPv4.ComputeChecksum()
	}
	if p.IPv6 != nil {
		s.Version, s.TrafficClass, s.FlowLabel = p.IPv6.Version(), p.IPv6.TrafficClass(), p.IPv6.FlowLabel()
	}
}

func bit(on bool, n uint) uint16 {
	if on {
		return 1 << n
	}
	return 0
}

// HTTP reads a start line.
//
//bpf:xdp
func HTTP(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	l := packet.HTTPRequest(p.Payload)
	if s := Found.Lookup(0); s != nil {
		s.Method, s.Minor = l.Method, int8(l.Minor)
		s.Target, s.TargetEnd = int32(l.Target), int32(l.TargetEnd)
	}
	return xdp.Pass
}

// Status reads a status line.
//
//bpf:xdp
func Status(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if s := Found.Lookup(0); s != nil {
		s.Status = int32(packet.HTTPStatus(p.Payload))
	}
	return xdp.Pass
}

// Options reads TCP options.
//
//bpf:xdp
func Options(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	p := packet.Parse(b)
	o := p.TCPOptions(b)
	if s := Found.Lookup(0); s != nil {
		s.MSS, s.Scale, s.TSVal, s.TSEcr = o.MSS, o.WindowScale, o.TSVal, o.TSEcr
		s.SACK, s.SACKBlocks = int32(o.SACK), int32(o.SACKBlocks)
		s.Flags = uint8(bit(o.HasWindowScale, 0) | bit(o.SACKPermitted, 1) | bit(o.HasTimestamps, 2))
	}
	return xdp.Pass
}

// Rewrite moves a connection to other ports and addresses and updates the
// checksums on its own.
//
//bpf:xdp
func Rewrite(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if p.IPv4 != nil {
		from, to := p.IPv4.DstIP, packet.IPv4Addr(192, 0, 2, 77)
		p.IPv4.DstIP = to
		p.IPv4.Checksum = packet.UpdateChecksum32(p.IPv4.Checksum, from, to)
		if p.TCP != nil {
			p.TCP.Checksum = packet.UpdateChecksum32(p.TCP.Checksum, from, to)
		}
	}
	if p.TCP != nil {
		from, to := p.TCP.DstPort, packet.Port(8080)
		p.TCP.DstPort = to
		p.TCP.Checksum = packet.UpdateChecksum(p.TCP.Checksum, from, to)
	}
	if p.UDP != nil {
		from, to := p.UDP.SrcPort, packet.Port(53)
		p.UDP.SrcPort = to
		p.UDP.Checksum = packet.UpdateUDPChecksum(p.UDP.Checksum, from, to)
	}
	return xdp.TX
}
