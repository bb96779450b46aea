// Package fnv hashes the first 64 bytes of a packet with FNV-1a.
package fnv

import (
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Sum is the last hash.
var Sum uint64

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	p := packet.At[[64]byte](ctx.Data(), 0)
	if p == nil {
		return xdp.Pass
	}
	h := uint64(0xcbf29ce484222325)
	for i := range p {
		h = (h ^ uint64(p[i])) * 0x100000001b3
	}
	Sum = h
	return xdp.Pass
}
