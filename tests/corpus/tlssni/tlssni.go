// Package tlssni tells to which host names TLS connections are opened: it reads the
// server name in the first message of a client (RFC 8446 4.1.2, RFC 6066 3).
package tlssni

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// MaxName is the longest name that is reported whole.
const MaxName = 64

// Event is a connection that is opened.
type Event struct {
	Src, Dst packet.Addr
	DstPort  uint16
	Len      uint16 // of the name
	Name     [MaxName]byte
}

// Events carries the events.
var Events = bpf.RingBuf[Event]{MaxEntries: 256 << 10}

// reader reads numbers one after the other.
type reader struct {
	b   packet.Bytes
	off int
	bad bool // something was not there
}

// maxOffset is far behind what is read of a client's first message.
const maxOffset = 0xfff

// skip moves on. The offset stays within bounds that the verifier sees.
func (r *reader) skip(n int) { r.off = (r.off + n) & maxOffset }

func (r *reader) u8() int {
	v := packet.At[uint8](r.b, r.off)
	if v == nil {
		r.bad = true
		return 0
	}
	r.skip(1)
	return int(*v)
}

func (r *reader) u16() int {
	v := packet.At[bpf.BE16](r.b, r.off)
	if v == nil {
		r.bad = true
		return 0
	}
	r.skip(2)
	return int(v.Host())
}

const (
	recordHandshake = 22
	clientHello     = 1
	extServerName   = 0
	hostName        = 0
	maxExtensions   = 24
)

// Watch looks at a packet.
//
//bpf:tc
func Watch(ctx *tc.Context) tc.Action {
	b := ctx.Data()
	p := packet.Parse(b)
	if p.TCP == nil || len(p.Payload) == 0 {
		return tc.Next
	}
	r := reader{b: p.Payload}
	if !r.serverName() {
		return tc.Next
	}
	n := r.u16()
	if r.bad || n == 0 {
		return tc.Next
	}
	report(&p, &r, n)
	return tc.Next
}

// serverName moves to the length of the server's name; false if there is none.
func (r *reader) serverName() bool {
	if r.u8() != recordHandshake {
		return false
	}
	r.skip(4) // version and length of the record
	if r.u8() != clientHello {
		return false
	}
	r.skip(3 + 2 + 32) // length, version, random number
	r.skip(r.u8())     // session
	r.skip(r.u16())    // cipher suites
	r.skip(r.u8())     // compression methods
	r.u16()            // length of all extensions
	for range maxExtensions {
		kind, size := r.u16(), r.u16()
		if r.bad {
			return false
		}
		if kind == extServerName {
			r.u16() // length of the list
			return r.u8() == hostName
		}
		r.skip(size)
	}
	return false
}

func report(p *packet.Packet, r *reader, n int) {
	e := Events.Reserve()
	if e == nil {
		return
	}
	*e = Event{Src: p.Src(), Dst: p.Dst(), DstPort: p.DstPort(), Len: uint16(n)}
	for i := range MaxName {
		if i >= n {
			break
		}
		c := packet.At[uint8](r.b, r.off+i)
		if c == nil {
			break
		}
		e.Name[i] = *c
	}
	Events.Submit(e)
}
