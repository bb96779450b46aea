package xdp

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/internal/sim"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// FIBFlag controls FIBLookup.
type FIBFlag = sk.FIBFlag

// FIBResult is the outcome of a FIBLookup.
type FIBResult = sk.FIBResult

// The flags and outcomes of FIBLookup; see package sk.
const (
	FIBDirect      = sk.FIBDirect
	FIBOutput      = sk.FIBOutput
	FIBSuccess     = sk.FIBSuccess
	FIBBlackhole   = sk.FIBBlackhole
	FIBUnreachable = sk.FIBUnreachable
	FIBProhibit    = sk.FIBProhibit
	FIBNotForward  = sk.FIBNotForward
	FIBDisabled    = sk.FIBDisabled
	FIBEncap       = sk.FIBEncap
	FIBNoNeighbour = sk.FIBNoNeighbour
	FIBTooBig      = sk.FIBTooBig
)

// FIBLookup asks the kernel's routing tables where the packet described by q
// goes, and fills in the answer.
//
//bpf:helper fib_lookup(c, q, sizeof(q), flags)
func (c *Context) FIBLookup(q *sk.FIBLookup, flags FIBFlag) FIBResult {
	return FIBResult(sim.Current("xdp.Context.FIBLookup").FIBLookup(unsafe.Pointer(q)))
}
