package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// checksum adds up what changes in a packet: a one's complement sum (RFC 1624) of
// 32-bit words as they lie in the packet.
type checksum uint64

// replace notes that one word takes the place of another.
func (c *checksum) replace(from, to bpf.BE32) { *c += checksum(uint32(to)) + checksum(^uint32(from)) }

// replace16 is replace for 16 bits.
func (c *checksum) replace16(from, to bpf.BE16) {
	*c += checksum(uint32(to)) + checksum(^uint32(from)&0xffff)
}

// diff returns the sum the way L3CsumReplace and L4CsumReplace want it.
func (c checksum) diff() uint64 {
	c = c&0xffffffff + c>>32
	c = c&0xffffffff + c>>32
	return uint64(uint32(c))
}

// Offsets of the checksums in their headers.
const (
	ipv4Checksum = 10
	tcpChecksum  = 16
)

// translate makes the packet, which has come from the peer of d, one of the other
// side's connection. It reports whether the packet could be changed.
func (s *segment) translate(ctx *tc.Context, d, other *Side) bool {
	var text, addrs checksum // of the TCP segment, and of the pseudo header
	b := ctx.Data()
	h := packet.At[packet.TCP](b, s.l4)
	if h == nil {
		return false
	}
	ports := checksum(0)
	ports.replace16(h.SrcPort, other.Tuple.LocalPort)
	ports.replace16(h.DstPort, other.Tuple.PeerPort)
	text += ports
	h.SrcPort, h.DstPort = other.Tuple.LocalPort, other.Tuple.PeerPort

	seq, ack := bpf.ToBE32(s.seq+d.Seq), bpf.ToBE32(s.ack+d.Ack)
	text.replace(h.Seq, seq)
	text.replace(h.AckSeq, ack)
	h.Seq, h.AckSeq = seq, ack

	if h.Flags != s.flags { // see doubt
		text.replace16(bpf.ToBE16(uint16(h.Flags)), bpf.ToBE16(uint16(s.flags)))
		h.Flags = s.flags
	}

	window := bpf.ToBE16(rescale(s.window, d.PeerScale, other.OwnScale))
	text.replace16(h.Window, window)
	h.Window = window

	if !s.translateStamps(b, d, &text) || !s.translateSACK(b, d, &text) {
		return false
	}
	if s.v6 {
		ip := packet.At[packet.IPv6](b, s.l3)
		if ip == nil {
			return false
		}
		addrs.replaceAddr(ip.SrcIP, other.Tuple.Local)
		addrs.replaceAddr(ip.DstIP, other.Tuple.Peer)
		ip.SrcIP, ip.DstIP = other.Tuple.Local, other.Tuple.Peer
	} else {
		ip := packet.At[packet.IPv4](b, s.l3)
		if ip == nil {
			return false
		}
		src, dst := other.Tuple.Local.As4(), other.Tuple.Peer.As4()
		addrs.replace(ip.SrcIP, src)
		addrs.replace(ip.DstIP, dst)
		ip.SrcIP, ip.DstIP = src, dst
	}
	ctx.L4CsumReplace(s.l4+tcpChecksum, 0, text.diff(), tc.CsumDiff)
	ctx.L4CsumReplace(s.l4+tcpChecksum, 0, addrs.diff(), tc.CsumDiff|tc.PseudoHdr)
	if !s.v6 {
		ctx.L3CsumReplace(s.l3+ipv4Checksum, 0, addrs.diff(), tc.CsumDiff)
	}
	return true
}

// replaceAddr is replace for an address.
func (c *checksum) replaceAddr(from, to packet.Addr) {
	f, t := from.Words(), to.Words()
	for i := range 4 {
		c.replace(f[i], t[i])
	}
}

// rescale returns a window that was scaled by one shift for a reader who expects
// another. It never says more than there is.
func rescale(window uint16, from, to uint8) uint16 {
	return uint16(min(uint32(window)<<(from&15)>>(to&15), 0xffff))
}

func (s *segment) translateStamps(b packet.Bytes, d *Side, sum *checksum) bool {
	if s.stamps == 0 {
		return true
	}
	at := packet.At[[2]bpf.BE32](b, s.stamps)
	if at == nil {
		return false
	}
	var text checksum
	stamp, echo := bpf.ToBE32(s.stamp+d.Stamp), bpf.ToBE32(s.echo+d.Echo)
	text.replace(at[0], stamp)
	text.replace(at[1], echo)
	at[0], at[1] = stamp, echo
	*sum += text.at(s.stamps - s.l4)
	return true
}

// at returns the sum of words that begin at an offset of the segment: at an odd one
// their bytes are the other halves of the checksum's words.
func (c checksum) at(off int) checksum {
	if off&1 == 0 {
		return c
	}
	sum := uint32(c.diff())
	return checksum(sum<<8 | sum>>24)
}

// maxBlocks is how many SACK blocks find room in a header (RFC 2018 3).
const maxBlocks = 4

// translateSACK moves the edges of SACK blocks like the acknowledgement.
func (s *segment) translateSACK(b packet.Bytes, d *Side, sum *checksum) bool {
	var text checksum
	for i := range maxBlocks {
		if i >= s.blocks {
			break
		}
		block := packet.At[[2]bpf.BE32](b, s.sack+8*i)
		if block == nil {
			return false
		}
		for j := range 2 {
			edge := bpf.ToBE32(block[j].Host() + d.Ack)
			text.replace(block[j], edge)
			block[j] = edge
		}
	}
	*sum += text.at(s.sack - s.l4)
	return true
}
