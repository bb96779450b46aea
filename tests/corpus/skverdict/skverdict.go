// Package skverdict looks at what a socket receives before its process does: what
// begins with one word is dropped, the rest passes.
package skverdict

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// Sockets holds the sockets that are guarded.
var Sockets = bpf.SockMap{MaxEntries: 64}

// What became of messages.
var Passed, Dropped uint64

// Guard decides about a piece of a stream, or a datagram.
//
//bpf:sk_skb/verdict
func Guard(ctx *sk.SkbContext) sk.Verdict {
	if ctx.Pull(min(ctx.Len, 8)) != bpf.OK {
		return sk.Pass
	}
	if ctx.Data().HasPrefix("SECRET ") {
		bpf.AtomicAdd(&Dropped, 1)
		return sk.Drop
	}
	bpf.AtomicAdd(&Passed, 1)
	return sk.Pass
}
