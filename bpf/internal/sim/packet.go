package sim

import (
	"reflect"
	"slices"
	"unsafe"
)

// EthernetLen is the size of an Ethernet header.
const EthernetLen = 14

// Room before and after a packet's data, as drivers leave it.
const (
	Headroom = 256
	Tailroom = 320
)

// Packet is the packet behind a context.
type Packet struct {
	buf        []byte
	start, end int
	meta       int // bytes of metadata before start
	Linear     int // if not 0, the bytes reachable directly; the rest only by helpers

	// What helpers did.
	Apply, Cork uint32 // of a message: what msg_apply_bytes and msg_cork_bytes said
	Redirect    Redirect
	Clones      []Clone
}

// Redirect is where a program sent a packet.
type Redirect struct {
	Helper  string // the helper's name, empty if none was called
	IfIndex uint32
	Flags   uint64
	Target  any // the reference from a map of sockets or devices
}

// Clone is a copy of a packet sent elsewhere.
type Clone struct {
	IfIndex uint32
	Flags   uint64
	Data    []byte
}

// NewPacket makes a packet with a copy of data.
func NewPacket(data []byte) *Packet {
	p := &Packet{buf: make([]byte, Headroom+len(data)+Tailroom), start: Headroom, end: Headroom + len(data)}
	copy(p.buf[p.start:], data)
	return p
}

// Len returns the packet's length.
func (p *Packet) Len() int { return p.end - p.start }

// Bytes returns the whole packet.
func (p *Packet) Bytes() []byte { return p.buf[p.start:p.end:p.end] }

// Data returns the part of the packet that programs reach directly.
func (p *Packet) Data() []byte {
	if p.Linear > 0 && p.Linear < p.Len() {
		return p.buf[p.start : p.start+p.Linear : p.start+p.Linear]
	}
	return p.Bytes()
}

// Meta returns the metadata before the packet.
func (p *Packet) Meta() []byte { return p.buf[p.start-p.meta : p.start : p.start] }

// AdjustHead moves the start of the packet by delta bytes.
func (p *Packet) AdjustHead(delta int) int32 {
	start := p.start + delta
	if start < p.meta || start > p.end-EthernetLen {
		return eInval
	}
	if p.meta > 0 {
		copy(p.buf[start-p.meta:start], p.Meta())
	}
	p.start = start
	p.move()
	return 0
}

// AdjustTail moves the end of the packet by delta bytes; new bytes are zero.
func (p *Packet) AdjustTail(delta int) int32 {
	end := p.end + delta
	if end > len(p.buf) || end < p.start+EthernetLen {
		return eInval
	}
	if delta > 0 {
		clear(p.buf[p.end:end])
	}
	p.end = end
	p.move()
	return 0
}

// AdjustMeta moves the start of the metadata by delta bytes.
func (p *Packet) AdjustMeta(delta int) int32 {
	meta := p.meta - delta
	if meta < 0 || meta%4 != 0 || meta > 32 {
		return eInval
	}
	p.meta = meta
	p.move()
	return 0
}

// Resize replaces n bytes at off by m zero bytes.
func (p *Packet) Resize(off, n, m int) {
	data := slices.Concat(p.Bytes()[:off], make([]byte, m), p.Bytes()[off+n:])
	p.Replace(data)
}

// Replace makes data the packet's content.
func (p *Packet) Replace(data []byte) {
	q := NewPacket(data)
	p.buf, p.start, p.end = q.buf, q.start, q.end
}

// move puts the packet elsewhere in memory, so that a program which goes on
// using pointers from before sees old bytes, not new ones. In the kernel the
// verifier refuses such a program.
func (p *Packet) move() { p.buf = slices.Clone(p.buf) }

// Pull makes the first n bytes reachable directly, all if n is 0.
func (p *Packet) Pull(n int) int32 {
	if n == 0 {
		n = p.Len()
	}
	if n > p.Len() {
		return eNoMem
	}
	p.Linear = max(p.Linear, n)
	p.move()
	return 0
}

// PullRange makes the bytes from start to end reachable directly.
func (p *Packet) PullRange(start, end int) int32 {
	if start > end || end > p.Len() {
		return eInval
	}
	p.Linear = max(p.Linear, end)
	p.move()
	return 0
}

// RedirectTo notes where a socket program sent its data and returns SK_PASS, or
// SK_DROP if there is no target.
func (p *Packet) RedirectTo(helper string, target any, flags uint64) int32 {
	if target == nil {
		return 0
	}
	p.Redirect = Redirect{Helper: helper, Flags: flags, Target: target}
	return 1
}

// Load copies len(dst) bytes at off out of the packet.
func (p *Packet) Load(off int, dst []byte) int32 {
	if off < 0 || off+len(dst) > p.Len() {
		clear(dst)
		return eFault
	}
	copy(dst, p.Bytes()[off:])
	return 0
}

// Store copies src into the packet at off.
func (p *Packet) Store(off int, src []byte) int32 {
	if off < 0 || off+len(src) > p.Len() {
		return eFault
	}
	copy(p.Bytes()[off:], src)
	return 0
}

// PointerOf returns the pointer in an interface value.
func PointerOf(v any) unsafe.Pointer { return reflect.ValueOf(v).UnsafePointer() }
