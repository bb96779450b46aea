// Package mapcounter counts the packets that it lets pass: one map, one
// look-up, one atomic addition.
package mapcounter

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Record is what is counted for each verdict.
type Record struct {
	Packets uint64
}

// Stats has a record for each verdict, which is its index.
var Stats = bpf.Array[Record]{MaxEntries: uint32(xdp.Redirect) + 1}

// Count counts a packet and lets it pass.
//
//bpf:xdp
func Count(_ *xdp.Context) xdp.Action {
	rec := Stats.Lookup(uint32(xdp.Pass))
	if rec == nil {
		return xdp.Aborted
	}
	bpf.AtomicAdd(&rec.Packets, 1)
	return xdp.Pass
}
