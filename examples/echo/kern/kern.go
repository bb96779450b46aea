// Package kern is the kernel half of echo: what a connection receives is sent
// back without waking a process.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// Client is who a connection leads to.
type Client struct {
	Addr packet.Addr
	Port uint32
}

// Conns holds the connections that user space has accepted. Parse and Echo are
// attached to it and run for whatever its sockets receive.
var Conns = bpf.SockHash[Client]{MaxEntries: 4096}

// Parse says how long the message is that the data starts with. A stream of
// bytes is not made of messages: all that is there is one.
//
//bpf:sk_skb/stream_parser
func Parse(ctx *sk.SkbContext) int32 { return int32(ctx.Len) }

// Echo sends a message back: out of the socket that it came in by.
//
//bpf:sk_skb/stream_verdict
func Echo(ctx *sk.SkbContext) sk.Verdict {
	from := Client{Addr: ctx.Remote(), Port: ctx.RemotePort.Host()}
	return sk.RedirectSkb(ctx, &Conns, from, sk.Egress)
}
