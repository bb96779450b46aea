// Package locks: what stays a call.
package locks

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

type bucket struct {
	lock  bpf.SpinLock
	_     [4]byte
	count [64]uint64
}

var buckets = bpf.Array[bucket]{MaxEntries: 2}

// mix is more than what is inlined at every call.
func mix(b *bucket, n uint64) uint64 {
	for i := range b.count {
		n ^= n << 13
		n ^= n >> 7
		n ^= n << 17
		n += b.count[i]&0xff + b.count[(i+1)&63]>>3 ^ b.count[(i+2)&63]*5
		n -= b.count[(i+3)&63] ^ b.count[(i+4)&63]*7 + b.count[(i+5)&63]<<2
		n *= b.count[(i+6)&63]&n + b.count[(i+7)&63]*11 - b.count[(i+8)&63]>>5
		n ^= n*31 + b.count[(i+9)&63] | b.count[(i+10)&63]*13 ^ b.count[(i+11)&63]<<9
		b.count[i] = n
	}
	return n
}

// Kernels before Linux 6.9 refuse calls while a lock is held.

//bpf:tc
func Locked(ctx *tc.Context) tc.Action { // bpf-func: -`call mix`
	b := buckets.Lookup(0)
	if b == nil {
		return tc.OK
	}
	n := uint64(ctx.Len)
	b.lock.Lock()
	if n&1 == 0 {
		n = mix(b, n)
	}
	b.lock.Unlock()
	return tc.Action(n)
}

//bpf:tc
func Free(ctx *tc.Context) tc.Action {
	b := buckets.Lookup(1)
	if b == nil {
		return tc.OK
	}
	n := mix(b, uint64(ctx.Len))  // bpf: `call mix`
	n += mix(b, uint64(ctx.Mark)) // bpf: `call mix`
	return tc.Action(n)
}
