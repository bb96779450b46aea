// Package faults runs into every kind of fault. What a program does depends on
// variables, so that the compiler can prove nothing. The comment behind a line
// says which fault happens in it.
package faults

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// What the programs work with; set between runs.
var (
	Index   uint32
	Divisor int32
	Count   int32
)

// Result is what a program came to.
var Result uint64

var table = [4]uint64{10, 11, 12, 13}

// Numbers is a map; its key 1 is never there.
var Numbers = bpf.Hash[uint32, uint64]{MaxEntries: 4}

//bpf:tc
func Element(*tc.Context) tc.Action {
	Result = table[Index] // index out of range
	return tc.OK
}

//bpf:tc
func Quotient(*tc.Context) tc.Action {
	Result = uint64(1000 / Divisor) // division by zero
	return tc.OK
}

//bpf:tc
func Deref(*tc.Context) tc.Action {
	Result = *Numbers.Lookup(Index) // nil pointer
	return tc.OK
}

//bpf:tc
func Shift(*tc.Context) tc.Action {
	Result = 1 << Count // negative shift
	return tc.OK
}

//bpf:tc
func Cut(*tc.Context) tc.Action {
	s := table[Index:] // slice bounds out of range
	Result = uint64(len(s))
	return tc.OK
}

// Called faults two calls deep; its callers don't go on.
//
//bpf:xdp
func Called(*xdp.Context) xdp.Action {
	Result = 1
	Result = outer(Index)
	return xdp.Pass
}

//bpf:noinline
func outer(i uint32) uint64 {
	n := inner(i)
	Result = 2
	return n + 1
}

//bpf:noinline
func inner(i uint32) uint64 {
	return table[i] + 1 // index out of range
}

// Held faults while it holds a record, which it must give back.
//
//bpf:tc
func Held(*tc.Context) tc.Action {
	r := Records.Reserve()
	if r == nil {
		return tc.OK
	}
	*r = table[Index&7] // index out of range
	Records.Submit(r)
	return tc.OK
}

// Records has room for 256 records.
var Records = bpf.RingBuf[uint64]{MaxEntries: 4096}

// Chosen has a verdict of its own for faults.
//
//bpf:tc
//bpf:fault tc.Drop
func Chosen(*tc.Context) tc.Action {
	Result = table[Index] // index out of range
	return tc.OK
}
