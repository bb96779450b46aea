package packet

import "github.com/waggle-bpf/waggle/bpf"

// Kinds of TCP options (IANA TCP parameters).
const (
	TCPOptEnd           = 0
	TCPOptNop           = 1
	TCPOptMSS           = 2
	TCPOptWindowScale   = 3
	TCPOptSACKPermitted = 4
	TCPOptSACK          = 5
	TCPOptTimestamps    = 8
)

// maxTCPOptions bounds the walk: a header has room for 40 bytes of options.
const maxTCPOptions = 40

// TCPOptions are the options of a TCP header that connections negotiate and
// use. What is missing is zero.
type TCPOptions struct {
	MSS            uint16
	WindowScale    uint8 // a shift, at most 14
	HasWindowScale bool
	SACKPermitted  bool
	HasTimestamps  bool
	TSVal, TSEcr   uint32 // of the sender, and echoed (RFC 7323)
	// SACK is the offset of the first SACK block in the options, and
	// SACKBlocks their number; each is two BE32 (RFC 2018).
	SACK, SACKBlocks int
}

// ParseTCPOptions reads the options that b holds: the bytes between the fixed
// part of a TCP header and its end. Packet.TCPOptions cuts them out.
func ParseTCPOptions(b Bytes) (o TCPOptions) {
	off := 0
	for range maxTCPOptions {
		kind := At[uint8](b, off)
		if kind == nil || *kind == TCPOptEnd {
			return o
		}
		if *kind == TCPOptNop {
			off++
			continue
		}
		size := At[uint8](b, off+1)
		if size == nil || *size < 2 {
			return o
		}
		o.read(b, *kind, off+2, int(*size)-2)
		off += int(*size)
	}
	return o
}

// read notes one option whose n bytes of data are at off.
func (o *TCPOptions) read(b Bytes, kind uint8, off, n int) {
	switch {
	case kind == TCPOptMSS && n == 2:
		if v := At[bpf.BE16](b, off); v != nil {
			o.MSS = v.Host()
		}
	case kind == TCPOptWindowScale && n == 1:
		if v := At[uint8](b, off); v != nil {
			o.WindowScale, o.HasWindowScale = *v, true
		}
	case kind == TCPOptSACKPermitted && n == 0:
		o.SACKPermitted = true
	case kind == TCPOptTimestamps && n == 8:
		if v := At[[2]bpf.BE32](b, off); v != nil {
			o.TSVal, o.TSEcr, o.HasTimestamps = v[0].Host(), v[1].Host(), true
		}
	case kind == TCPOptSACK && n&7 == 0:
		o.SACK, o.SACKBlocks = off, n>>3
	}
}

// TCPOptions reads the options of p's TCP header; b is what p was parsed from.
func (p *Packet) TCPOptions(b Bytes) TCPOptions {
	start := p.L4 + TCPLen
	if p.TCP == nil || p.L7 < start || p.L7 > len(b) {
		return TCPOptions{}
	}
	return ParseTCPOptions(b[start:p.L7])
}
