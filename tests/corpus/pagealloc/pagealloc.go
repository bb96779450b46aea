// Package pagealloc counts how many pages the kernel hands out, by order of
// magnitude: the size of a block is a power of two.
package pagealloc

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// MaxOrder is the largest order that is counted by itself.
const MaxOrder = 10

// Blocks counts blocks by order.
var Blocks = bpf.Array[uint64]{MaxEntries: MaxOrder + 1}

// Pages counts pages.
var Pages uint64

// pageAlloc is the context of tracepoint kmem/mm_page_alloc.
type pageAlloc struct {
	trace.Common
	PFN         uint64
	Order       uint32
	_           [4]byte
	GFPFlags    uint64
	MigrateType int32
}

// Alloc counts a block.
//
//bpf:tracepoint kmem/mm_page_alloc
func Alloc(ctx *pageAlloc) int32 {
	order := min(ctx.Order, MaxOrder)
	if n := Blocks.Lookup(order); n != nil {
		bpf.AtomicAdd(n, 1)
	}
	bpf.AtomicAdd(&Pages, 1<<order)
	return 0
}
