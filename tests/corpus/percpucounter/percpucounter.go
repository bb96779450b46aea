// Package percpucounter counts packets and bytes by verdict, on every CPU for
// itself, so that no atomics are needed. The map is pinned: the numbers outlive
// the loader.
package percpucounter

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Record is what is counted for each verdict.
type Record struct {
	Packets uint64
	Bytes   uint64
}

// Stats has a record for each verdict, which is its index.
var Stats = bpf.PerCPUArray[Record]{MaxEntries: uint32(xdp.Redirect) + 1, Pin: true}

// Pass counts a packet and lets it pass.
//
//bpf:xdp
func Pass(ctx *xdp.Context) xdp.Action { return count(ctx, xdp.Pass) }

// Drop counts a packet and drops it.
//
//bpf:xdp
func Drop(ctx *xdp.Context) xdp.Action { return count(ctx, xdp.Drop) }

// Abort counts a packet and reports it as an error.
//
//bpf:xdp
func Abort(ctx *xdp.Context) xdp.Action { return count(ctx, xdp.Aborted) }

func count(ctx *xdp.Context, verdict xdp.Action) xdp.Action {
	rec := Stats.Lookup(uint32(verdict))
	if rec == nil {
		return xdp.Aborted
	}
	rec.Packets++
	rec.Bytes += uint64(ctx.Len())
	return verdict
}
