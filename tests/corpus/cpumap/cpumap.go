// Package cpumap spreads packets over CPUs by source address, so that the packets
// of a sender stay on one CPU and in order.
package cpumap

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// NumCPUs is how many entries of CPUs are in use. Settable before load.
//
//bpf:const
var NumCPUs uint32 = 1

// CPUs holds the CPUs.
var CPUs = bpf.CPUMap{MaxEntries: 64}

// Spread hands a packet to a CPU.
//
//bpf:xdp
func Spread(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if !p.IsIP() || NumCPUs == 0 {
		return xdp.Pass
	}
	h := uint32(0)
	for _, w := range p.Src().Words() {
		h = (h ^ uint32(w)) * 0x9e3779b1
	}
	return xdp.RedirectMap(ctx, &CPUs, (h>>16)%NumCPUs, xdp.Pass)
}
