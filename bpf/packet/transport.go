package packet

import "github.com/waggle-bpf/waggle/bpf"

// Port returns a port number in network byte order, to compare with a header's
// field. Of a constant it is a constant.
func Port(n uint16) bpf.BE16 { return bpf.ToBE16(n) }

// TCP is the fixed part of a TCP header (RFC 9293).
type TCP struct {
	SrcPort, DstPort bpf.BE16
	Seq, AckSeq      bpf.BE32
	Offset           uint8 // header length in words, in the upper 4 bits
	Flags            TCPFlags
	Window           bpf.BE16
	Checksum         bpf.BE16
	Urgent           bpf.BE16
}

// TCPLen is the size of a TCP header without options in bytes.
const TCPLen = 20

// TCPFlags are the control bits of a TCP header.
type TCPFlags uint8

// The control bits.
const (
	FIN TCPFlags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// HeaderLen returns the length of the header with its options in bytes: 20 to
// 60 on a well-formed packet.
func (h *TCP) HeaderLen() int { return int(h.Offset>>4) << 2 }

// Has reports whether all of the given control bits are set.
func (h *TCP) Has(f TCPFlags) bool { return h.Flags&f == f }

// UDP is a UDP header (RFC 768).
type UDP struct {
	SrcPort, DstPort bpf.BE16
	Len              bpf.BE16 // header and payload in bytes; 0 on big GSO packets
	Checksum         bpf.BE16 // 0: none
}

// UDPLen is the size of a UDP header in bytes.
const UDPLen = 8

// ICMP is the header of an ICMP (RFC 792) or ICMPv6 (RFC 4443) message.
type ICMP struct {
	Type, Code uint8
	Checksum   bpf.BE16
	ID         bpf.BE16 // of echo messages; else part of the rest of the header
	Seq        bpf.BE16 // of echo messages
}

// ICMPLen is the size of an ICMP header in bytes.
const ICMPLen = 8

// Message types of ICMP.
const (
	ICMPEchoReply    = 0
	ICMPUnreachable  = 3
	ICMPRedirect     = 5
	ICMPEcho         = 8
	ICMPTimeExceeded = 11
)

// Message types of ICMPv6.
const (
	ICMPv6Unreachable  = 1
	ICMPv6PacketTooBig = 2
	ICMPv6TimeExceeded = 3
	ICMPv6Echo         = 128
	ICMPv6EchoReply    = 129
	ICMPv6RouterAdv    = 134
	ICMPv6NeighborSol  = 135
	ICMPv6NeighborAdv  = 136
)
