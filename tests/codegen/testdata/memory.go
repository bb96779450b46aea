// Package memory: structs in registers, stores that fall away, few words.
package memory

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

type point struct{ x, y, z int64 }

func (p point) add(q point) point { return point{p.x + q.x, p.y + q.y, p.z + q.z} }

var a, b, c point

//bpf:xdp
func Struct(*xdp.Context) xdp.Action { // bpf-func: -`r10`
	c = a.add(b).add(point{z: 1})
	return xdp.Pass
}

// Key has an address and a port.
type Key struct {
	Addr bpf.BE32
	Port bpf.BE16
	_    uint16
}

// Seen by key.
var Seen = bpf.Hash[Key, uint64]{MaxEntries: 16}

//bpf:xdp
func BuildKey(ctx *xdp.Context) xdp.Action { // bpf-func: 3`\(r10 -\d+\) =`
	// Address, port and padding are stored once each: nothing is cleared first.
	ip := packet.At[packet.IPv4](ctx.Data(), packet.EthernetLen)
	tcp := packet.At[packet.TCP](ctx.Data(), packet.EthernetLen+packet.IPv4Len)
	if ip == nil || tcp == nil {
		return xdp.Pass
	}
	if Seen.Lookup(Key{Addr: ip.SrcIP, Port: tcp.SrcPort}) != nil {
		return xdp.Drop
	}
	return xdp.Pass
}

var word uint32

//bpf:xdp
func Literal(*xdp.Context) xdp.Action { // bpf-func: -`r10`
	// The bytes of a literal become one word, which is compared as a whole.
	b := packet.Addr{12: 10, 15: 1}
	if b.As4() == bpf.BE32(word) {
		return xdp.Drop
	}
	return xdp.Pass
}

//bpf:xdp
func Prefix(ctx *xdp.Context) xdp.Action { // bpf-func: 1`\*\(u64 \*\)\(r\d+ \+0\)` 1`\*\(u8 \*\)\(r\d+ \+8\)`
	if ctx.Data().HasPrefix("HTTP/1.1 ") {
		return xdp.Drop
	}
	return xdp.Pass
}

var counter uint64

//bpf:xdp
func Atomic(*xdp.Context) xdp.Action { // bpf-func: `lock \*\(u64` -`fetch`
	bpf.AtomicAdd(&counter, 1)
	return xdp.Pass
}
