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

// TCPOptions are the options of a TCP header that connections negotiate and
// use. What is missing is zero.
type TCPOptions struct {
	MSS            uint16
	WindowScale    uint8 // a shift, at most 14
	HasWindowScale bool
	SACKPermitted  bool
	HasTimestamps  bool
	TSVal, TSEcr   uint32 // of the sender, and echoed (RFC 7323)
	// Timestamps is the offset of TSVal, which TSEcr follows.
	Timestamps int
	// SACK is the offset of the first SACK block, and SACKBlocks their
	// number; each is two BE32 (RFC 2018).
	SACK, SACKBlocks int
}

// TCPOptions reads the options of p's TCP header; b is what p was parsed from.
func (p *Packet) TCPOptions(b Bytes) TCPOptions {
	if p.TCP == nil {
		return TCPOptions{}
	}
	return ParseTCPOptions(b, p.L4+TCPLen, p.L7)
}

const (
	maxTCPOptionBytes = 40 // the room for options in a TCP header
	// maxTCPOptions is how many options are looked at, padding included.
	// Real headers have up to eight.
	maxTCPOptions = 16
)

// ParseTCPOptions reads the options between the offsets start and end of b: from
// behind the fixed part of a TCP header to the header's end.
func ParseTCPOptions(b Bytes, start, end int) (o TCPOptions) {
	if end-start > maxTCPOptionBytes {
		return o
	}
	at := tcpOptions(b, start, end)
	if v := tcpOption(b, start, at[TCPOptMSS], 4); v != nil {
		if mss := At[bpf.BE16](b, start+int(at[TCPOptMSS])+1); mss != nil {
			o.MSS = mss.Host()
		}
	}
	if v := tcpOption(b, start, at[TCPOptWindowScale], 3); v != nil {
		o.WindowScale, o.HasWindowScale = v[2], true
	}
	o.SACKPermitted = at[TCPOptSACKPermitted] != 0
	if tcpOption(b, start, at[TCPOptTimestamps], 10) != nil {
		if ts := At[[2]bpf.BE32](b, start+int(at[TCPOptTimestamps])+1); ts != nil {
			o.TSVal, o.TSEcr, o.HasTimestamps = ts[0].Host(), ts[1].Host(), true
			o.Timestamps = start + int(at[TCPOptTimestamps]) + 1
		}
	}
	if off := start + int(at[TCPOptSACK]); off > start {
		if size := At[uint8](b, off); size != nil {
			o.SACK, o.SACKBlocks = off+1, int(*size-2)>>3
		}
	}
	return o
}

// tcpOption returns the three bytes of the option at position at, counted from 1
// behind start, if its size is right.
func tcpOption(b Bytes, start int, at, size uint8) *[3]uint8 {
	if at == 0 {
		return nil
	}
	v := At[[3]uint8](b, start+int(at)-1)
	if v == nil || v[1] != size {
		return nil
	}
	return v
}

// tcpOptions returns where the options of each kind below 16 are: 1 plus the
// offset of the last one behind start, 0 if there is none. Noting positions in an
// array gives the verifier one way through, where a switch would give it one for
// each set of options.
func tcpOptions(b Bytes, start, end int) (at [16]uint8) {
	i := 0
	for range maxTCPOptions {
		kind := At[uint8](b, start+i)
		if kind == nil || start+i >= end || *kind == TCPOptEnd {
			break
		}
		n := 1
		if *kind != TCPOptNop {
			size := At[uint8](b, start+i+1)
			if size == nil || *size < 2 || start+i+int(*size) > end {
				break
			}
			if *kind < 16 {
				at[*kind&15] = uint8(i + 1)
			}
			n = int(*size)
		}
		i = (i + n) & 63 // i is at most 40: this gives the verifier one range for all rounds
	}
	return at
}
