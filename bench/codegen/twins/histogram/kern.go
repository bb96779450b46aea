// Package histogram counts packet lengths by power of two.
package histogram

import (
	"math/bits"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Slots counts by log2 of the length.
var Slots [32]uint32

//bpf:tc
func Prog(ctx *tc.Context) tc.Action {
	n := bits.Len32(ctx.Len)
	bpf.AtomicAdd(&Slots[n&31], 1)
	return tc.OK
}
