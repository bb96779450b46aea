package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// segment is what a TCP packet says, in the machine's byte order.
type segment struct {
	l3, l4 int // offsets of the IP and TCP headers
	v6     bool

	src, dst         packet.Addr
	srcPort, dstPort bpf.BE16

	seq, ack, size uint32 // size is that of the payload
	flags          packet.TCPFlags
	window         uint16

	stamps       int // offset of the two time stamps, 0 if there are none
	stamp, echo  uint32
	sack, blocks int // offset and number of the SACK blocks
}

// parse reads the packet, whose IP header lies at offset l2. It reports whether it
// is a TCP segment that the programs can deal with.
func (s *segment) parse(ctx *tc.Context, l2 int) bool {
	s.l3 = l2
	switch ctx.EtherType() {
	case packet.TypeIPv4:
		return s.parse4(ctx)
	case packet.TypeIPv6:
		return s.parse6(ctx)
	}
	return false
}

func (s *segment) parse4(ctx *tc.Context) bool {
	b := ctx.Data()
	ip := packet.At[packet.IPv4](b, s.l3)
	if ip == nil || ip.Proto != packet.ProtoTCP || ip.IsFragment() {
		return false
	}
	s.src, s.dst = ip.Src(), ip.Dst()
	header := ip.HeaderLen()
	s.l4 = s.l3 + header
	size := uint32(ip.TotalLen.Host())
	if size == 0 {
		size = ctx.Len - uint32(s.l3)
	}
	return s.parseTCP(b, size-uint32(header))
}

func (s *segment) parse6(ctx *tc.Context) bool {
	b := ctx.Data()
	ip := packet.At[packet.IPv6](b, s.l3)
	if ip == nil || ip.NextHeader != packet.ProtoTCP {
		return false
	}
	s.v6 = true
	s.src, s.dst = ip.Src(), ip.Dst()
	s.l4 = s.l3 + packet.IPv6Len
	size := uint32(ip.PayloadLen.Host())
	if size == 0 {
		size = ctx.Len - uint32(s.l3) - packet.IPv6Len
	}
	return s.parseTCP(b, size)
}

// parseTCP reads the TCP header; size is that of header and payload.
func (s *segment) parseTCP(b packet.Bytes, size uint32) bool {
	h := packet.At[packet.TCP](b, s.l4)
	if h == nil {
		return false
	}
	s.srcPort, s.dstPort = h.SrcPort, h.DstPort
	s.seq, s.ack = h.Seq.Host(), h.AckSeq.Host()
	s.flags, s.window = h.Flags, h.Window.Host()
	header := h.HeaderLen()
	s.size = size - uint32(header)
	return s.parseOptions(b, s.l4+packet.TCPLen, s.l4+header)
}

// stampsFirst is how nearly every header's options begin: two bytes of padding and
// the time stamps.
const stampsFirst bpf.BE32 = 0x0a080101

// stampsLen is the size of the padded time stamps.
const stampsLen = 12

func (s *segment) parseOptions(b packet.Bytes, start, end int) bool {
	if start == end {
		return true
	}
	first := packet.At[[3]bpf.BE32](b, start)
	if first != nil && first[0] == stampsFirst && end == start+stampsLen {
		s.stamps = start + 4
		s.stamp, s.echo = first[1].Host(), first[2].Host()
		return true
	}
	o := packet.ParseTCPOptions(b, start, end)
	if o.HasTimestamps {
		s.stamps, s.stamp, s.echo = o.Timestamps, o.TSVal, o.TSEcr
	}
	s.sack, s.blocks = o.SACK, o.SACKBlocks
	return true
}

// from is the tuple of the connection that the segment has come by.
func (s *segment) from() Tuple {
	return Tuple{Peer: s.src, Local: s.dst, PeerPort: s.srcPort, LocalPort: s.dstPort}
}

// to is the tuple of the connection that the segment leaves by.
func (s *segment) to() Tuple {
	return Tuple{Peer: s.dst, Local: s.src, PeerPort: s.dstPort, LocalPort: s.srcPort}
}

// has reports whether any of the flags is set.
func (s *segment) has(f packet.TCPFlags) bool { return s.flags&f != 0 }

// after reports whether sequence number a comes after b (RFC 9293 3.4).
func after(a, b uint32) bool { return int32(a-b) > 0 }
