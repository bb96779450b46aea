// Package ratelimit limits the packets of each IPv4 sender with a token bucket. A
// spin lock guards the bucket, because several CPUs may take from it at a time.
package ratelimit

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Rate is the number of packets per second, Burst how many may come at once.
// Settable before load.
//
//bpf:const
var Rate, Burst uint64 = 1000, 10

// Bucket is what a sender may still send.
type Bucket struct {
	lock   bpf.SpinLock
	_      [4]byte
	Tokens uint64
	Filled uint64 // when it was filled last, ns since boot
}

// Buckets holds the senders.
var Buckets = bpf.Hash[bpf.BE32, Bucket]{MaxEntries: 4096}

// Dropped counts packets that were too many.
var Dropped uint64

// Limit drops what is too much.
//
//bpf:tc
func Limit(ctx *tc.Context) tc.Action {
	p := packet.Parse(ctx.Data())
	if p.IPv4 == nil {
		return tc.OK
	}
	now := bpf.KtimeGetNS()
	b := Buckets.Lookup(p.IPv4.SrcIP)
	if b == nil {
		Buckets.Update(p.IPv4.SrcIP, Bucket{Tokens: Burst - 1, Filled: now}, bpf.NoExist)
		return tc.OK
	}
	if b.take(now) {
		return tc.OK
	}
	bpf.AtomicAdd(&Dropped, 1)
	return tc.Drop
}

const second = 1_000_000_000

// take takes a token out of the bucket, after putting in what has come since.
func (b *Bucket) take(now uint64) bool {
	b.lock.Lock()
	fresh := (now - b.Filled) * Rate / second
	if fresh > 0 {
		b.Tokens = min(b.Tokens+fresh, Burst)
		b.Filled = now
	}
	ok := b.Tokens > 0
	if ok {
		b.Tokens--
	}
	b.lock.Unlock()
	return ok
}
