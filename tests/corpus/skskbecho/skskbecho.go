// Package skskbecho is an echo server whose data never reaches user space: what a
// socket of the map receives goes back out of the same socket.
package skskbecho

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// Clients holds the connections that user space accepted, by the client's port in
// host byte order.
var Clients = bpf.SockHash[uint32]{MaxEntries: 1024}

// Bytes counts what was sent back.
var Bytes uint64

// Parse takes all data as one message.
//
//bpf:sk_skb/stream_parser
func Parse(ctx *sk.SkbContext) int32 { return int32(ctx.Len) }

// Echo sends a message back.
//
//bpf:sk_skb/stream_verdict
func Echo(ctx *sk.SkbContext) sk.Verdict {
	bpf.AtomicAdd(&Bytes, uint64(ctx.Len))
	return sk.RedirectSkb(ctx, &Clients, ctx.RemotePort.Host(), sk.Egress)
}
