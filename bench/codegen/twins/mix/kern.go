// Package mix spreads a flow over eight buckets with Jenkins' mix function.
package mix

import (
	"math/bits"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Buckets counts packets by bucket.
var Buckets = bpf.Array[uint64]{MaxEntries: 8}

func mix(a, b, c uint32) uint32 {
	a -= c
	a ^= bits.RotateLeft32(c, 4)
	c += b
	b -= a
	b ^= bits.RotateLeft32(a, 6)
	a += c
	c -= b
	c ^= bits.RotateLeft32(b, 8)
	b += a
	a -= c
	a ^= bits.RotateLeft32(c, 16)
	c += b
	b -= a
	b ^= bits.RotateLeft32(a, 19)
	a += c
	c -= b
	c ^= bits.RotateLeft32(b, 4)
	return c
}

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	ip := packet.At[packet.IPv4](ctx.Data(), packet.EthernetLen)
	if ip == nil {
		return xdp.Pass
	}
	h := mix(uint32(ip.SrcIP), uint32(ip.DstIP), uint32(ip.Proto))
	if n := Buckets.Lookup(h & 7); n != nil {
		*n++
	}
	return xdp.Pass
}
