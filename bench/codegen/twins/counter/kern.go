// Package counter counts packets and bytes per CPU.
package counter

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Record is what one CPU saw of one verdict.
type Record struct{ Packets, Bytes uint64 }

// Stats is indexed by verdict.
var Stats = bpf.PerCPUArray[Record]{MaxEntries: 5}

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	r := Stats.Lookup(uint32(xdp.Pass))
	if r == nil {
		return xdp.Aborted
	}
	r.Packets++
	r.Bytes += uint64(ctx.Len())
	return xdp.Pass
}
