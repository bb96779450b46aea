// Package forbidden: three optimisations that the verifier can't follow and the
// compiler must not do (llvm's BPFAdjustOpt.cpp undoes them).
package forbidden

import (
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

var (
	in    uint64
	out   uint32
	table [256]uint32
)

//bpf:xdp
func TruncatedCompare(*xdp.Context) xdp.Action { // bpf-func: -`if .* & `
	// Not a test of the bits of in that a mask of 0xf0 selects: the verifier
	// would learn no bound from it.
	if uint8(in) < 16 { // bpf: `if w\d+ (>=|<) 16`
		out = table[uint8(in)]
	}
	return xdp.Pass
}

//bpf:xdp
func MergedCompare(*xdp.Context) xdp.Action {
	// Not one unsigned comparison of in-4: the verifier would bound the
	// difference and not in.
	if i := in; i >= 4 && i < 200 { // bpf: 2`if ` -`-=` -`\+= -4`
		out = table[i]
	}
	return xdp.Pass
}

//bpf:xdp
func HoistedAccess(ctx *xdp.Context) xdp.Action { // bpf-func: `(?s)if r\d+ > r\d+ goto.*\*\(u32 \*\)\(r\d+ \+12\)`
	// The load stays behind the check that guards it, on both ways.
	b := ctx.Data()
	ip := packet.At[packet.IPv4](b, packet.EthernetLen)
	if in > 7 {
		if ip == nil {
			return xdp.Drop
		}
		out = uint32(ip.SrcIP)
		return xdp.Pass
	}
	if ip != nil {
		out = uint32(ip.SrcIP)
	}
	return xdp.Pass
}
