// Package p0f takes a fingerprint of whoever opens a TCP connection: which options
// the first packet has, and in which order, tells systems apart.
package p0f

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// MaxOptions is how many options a fingerprint holds.
const MaxOptions = 10

// Fingerprint is what the first packet of a connection looks like.
type Fingerprint struct {
	Src        packet.Addr
	SrcPort    uint16
	Window     uint16
	MSS        uint16
	TTL        uint8
	Scale      uint8 // of the window
	DontFrag   bool
	NumOptions uint8
	Options    [MaxOptions]uint8 // kinds, in order
}

// Events carries the fingerprints.
var Events = bpf.RingBuf[Fingerprint]{MaxEntries: 1 << 20}

// Watch takes a fingerprint of packets that open a connection.
//
//bpf:xdp
func Watch(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	p := packet.Parse(b)
	if p.TCP == nil || p.TCP.Flags&(packet.SYN|packet.ACK) != packet.SYN {
		return xdp.Pass
	}
	f := Events.Reserve()
	if f == nil {
		return xdp.Pass
	}
	*f = Fingerprint{Src: p.Src(), SrcPort: p.SrcPort(), Window: p.TCP.Window.Host()}
	if p.IPv4 != nil {
		f.TTL, f.DontFrag = p.IPv4.TTL, p.IPv4.Frag&packet.FragDont != 0
	} else if p.IPv6 != nil {
		f.TTL = p.IPv6.HopLimit
	}
	o := p.TCPOptions(b)
	f.MSS, f.Scale = o.MSS, o.WindowScale
	f.kinds(b, p.L4+packet.TCPLen, p.L7)
	Events.Submit(f)
	return xdp.Pass
}

// kinds notes the kinds of the options between two offsets.
func (f *Fingerprint) kinds(b packet.Bytes, start, end int) {
	off := 0
	for i := range MaxOptions {
		kind := packet.At[uint8](b, start+off)
		if kind == nil || start+off >= end {
			return
		}
		f.Options[i] = *kind
		f.NumOptions++
		n := uint8(1)
		if *kind == packet.TCPOptEnd {
			return
		}
		if *kind != packet.TCPOptNop {
			size := packet.At[uint8](b, start+off+1)
			if size == nil || *size < 2 {
				return
			}
			n = *size
		}
		// The mask changes nothing, since a header has room for 40 bytes, but
		// it gives the verifier one range for all rounds.
		off = (off + int(n)) & 0x3f
	}
}
