// Package checks: which of Go's run-time checks remain.
package checks

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

var (
	table [16]uint32
	index uint64
	sum   uint32
	data  uint32
)

// Values is looked up.
var Values = bpf.Hash[uint32, uint64]{MaxEntries: 8}

var scratch bpf.Scratch[[8]uint64]

//bpf:xdp
func Masked(*xdp.Context) xdp.Action { // bpf-func: -`if `
	sum = table[index&15]
	return xdp.Pass
}

//bpf:xdp
func Loop(*xdp.Context) xdp.Action { // bpf-func: 1`if `
	for i := 0; i < len(table); i++ {
		sum += table[i]
	}
	return xdp.Pass
}

//bpf:xdp
func Unknown(*xdp.Context) xdp.Action { // bpf-func: `lock \*\(u64 \*\)\(r0 \+0\) \+= r` -`fetch`
	sum = table[index] // bpf: 1`if r\d+ >= 16`
	return xdp.Pass
}

//bpf:xdp
func Packet(ctx *xdp.Context) xdp.Action { // bpf-func: 1`if r\d+ > r\d+ goto`
	// One comparison with the packet's end covers both headers.
	b := ctx.Data()
	ip := packet.At[packet.IPv4](b, packet.EthernetLen)
	eth := packet.At[packet.Ethernet](b, 0)
	if ip == nil || eth == nil {
		return xdp.Drop
	}
	data = uint32(eth.Type) + uint32(ip.SrcIP)
	return xdp.Pass
}

//bpf:xdp
func Nil(*xdp.Context) xdp.Action { // bpf-func: 1`if r\d+ (=|!)= 0 goto`
	v := Values.Lookup(1)
	if v == nil {
		return xdp.Drop
	}
	*v += 1
	*v *= 2
	return xdp.Pass
}

//bpf:xdp
func NeverNil(*xdp.Context) xdp.Action { // bpf-func: 1`if r\d+ (=|!)= 0 goto` -`waggle_faults`
	s := scratch.Get()
	s[3]++
	if s == nil {
		return xdp.Drop
	}
	return xdp.Pass
}
