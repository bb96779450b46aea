// Package refused holds programs that the compiler accepts and the verifier does
// not. The comment in a line says what the verifier has against it.
package refused

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Records and Values are there to be misused.
var (
	Records = bpf.RingBuf[uint64]{MaxEntries: 4096}
	Values  = bpf.Array[uint64]{MaxEntries: 1}
)

//bpf:tc
func Leaks(*tc.Context) tc.Action {
	r := Records.Reserve() // takes a reference
	if r != nil {
		*r = 1
	}
	return tc.OK
}

//bpf:tc
func Endless(*tc.Context) tc.Action {
	v := Values.Lookup(0)
	if v == nil {
		return tc.OK
	}
	for bpf.AtomicExchange(v, 0) == 0 { // has a loop that may never end
	}
	return tc.OK
}

//bpf:tc
func Unlocked(*tc.Context) tc.Action {
	a := Guarded.Lookup(0)
	if a == nil {
		return tc.OK
	}
	a.Lock.Lock()
	a.N = bpf.KtimeGetNS() // helper under a lock
	a.Lock.Unlock()
	return tc.OK
}

// Guarded is for Unlocked.
var Guarded = bpf.Array[struct {
	Lock bpf.SpinLock
	N    uint64
}]{MaxEntries: 1}
