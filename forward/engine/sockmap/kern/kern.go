// Package kern is the kernel half of the sockmap engine: what one connection of a
// pair receives is sent out by the other one without waking a process, as long as
// that goes well.
//
// Redirected data has left the receive buffer, so it does not hold the sender back,
// and nothing bounds it. So there is a valve: the program redirects up to the limit
// that user space has set, and leaves the rest to it. As what was left has to go
// first, nothing is redirected until user space has written that.
package kern

import (
	"sync/atomic"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// Pairs is how many pairs there is room for unless user space chooses otherwise.
const Pairs = 8192

// Overhead is what a message costs beside its length, in bytes: a little less than
// a socket buffer's header, of which TCP shares one between small messages.
const Overhead = 256

// Lane is one direction of a pair. User space has it mapped: words that the program
// writes are apart from those that user space writes.
type Lane struct {
	// Next is the sequence number of the first byte that has not been seen.
	Next uint32
	// Broken is not 0 if data was dropped, whose stream is worth nothing then.
	Broken uint32
	// Redirected is how many bytes were handed to the other connection, Cost
	// what that comes to, and Passed how many bytes were left to user space.
	Redirected, Cost, Passed uint64

	_ [4]uint64

	// Written is how many of the bytes passed user space has written.
	Written uint64
	// Limit is what Cost must not exceed.
	Limit uint64

	_ [6]uint64
}

// Sockets holds the connections of pairs: the client's of pair n at 2n, the
// backend's at 2n+1. Verdict runs for what they receive.
var Sockets = bpf.SockMap{MaxEntries: 2 * Pairs}

// Indexes says where in Sockets a connection is, by its cookie.
var Indexes = bpf.Hash[uint64, uint32]{MaxEntries: 2 * Pairs}

// Lanes holds the directions; each is where the connection is that it reads from.
var Lanes = bpf.Array[Lane]{MaxEntries: 2 * Pairs, Flags: bpf.Mmapable}

// Verdict decides about data in a receive queue. It runs under the socket's lock.
//
//bpf:sk_skb/verdict
func Verdict(ctx *sk.SkbContext) sk.Verdict {
	if ctx.Len == 0 {
		// A FIN. TCP has taken note; passed on, it could break the socket: if
		// data waits to be sent there, it is queued behind that, and the kernel
		// takes 0 for an error (sk_psock_backlog in net/core/skmsg.c).
		return sk.Drop
	}
	index := Indexes.Lookup(ctx.SocketCookie())
	if index == nil {
		return sk.Pass
	}
	lane := Lanes.Lookup(*index)
	if lane == nil {
		return sk.Pass
	}
	n, ok := lane.unseen(ctx)
	if !ok {
		lane.Broken = 1
		return sk.Pass // wakes user space
	}
	if n == 0 {
		return sk.Drop
	}
	cost := n + Overhead
	if lane.Passed != atomic.LoadUint64(&lane.Written) || lane.Cost+cost > atomic.LoadUint64(&lane.Limit) {
		lane.Passed += n
		return sk.Pass
	}
	// Counted first: who sees the data has to see the count.
	lane.Redirected += n
	lane.Cost += cost
	if ctx.Redirect(&Sockets, *index^1, sk.Egress) != sk.Pass {
		lane.Redirected -= n
		lane.Cost -= cost
		lane.Passed += n
	}
	return sk.Pass
}

// maxCut is how much can be cut off at once, maxCuts how often that is done: enough
// for 512 KiB, the most that there can be in a piece.
const (
	maxCut  = 4095
	maxCuts = 130
)

// unseen cuts off what the lane has seen of the data, and returns how long the rest
// is. A packet that was sent again can begin with bytes that have come before, and
// one that user space has read in part lies in the queue whole. To find out takes
// the sequence numbers of the data: they are the first two words of its control
// block (struct tcp_skb_cb, include/net/tcp.h), which is at the place of cb
// (struct sk_skb_cb, include/linux/skmsg.h).
func (l *Lane) unseen(ctx *sk.SkbContext) (n uint64, ok bool) {
	length, first, end := ctx.Len, ctx.CB[0], ctx.CB[1]
	if fin := end - first - length; fin > 1 {
		return 0, false
	}
	seen := l.Next - first
	if seen > length {
		return 0, false
	}
	l.Next = first + length
	left := seen
	for range maxCuts {
		if left <= maxCut {
			break
		}
		if !ctx.AdjustRoom(-maxCut).Ok() {
			return 0, false
		}
		left -= maxCut
	}
	if left > maxCut || left > 0 && !ctx.AdjustRoom(-int32(left)).Ok() {
		return 0, false
	}
	return uint64(length - seen), true
}
