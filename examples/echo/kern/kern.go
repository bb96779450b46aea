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

// Conns holds the connections that user space has accepted. Echo is attached to
// it and runs for whatever its sockets receive.
var Conns = bpf.SockHash[Client]{MaxEntries: 4096}

// Echo sends data back: out of the socket that it came in by. What has no data is
// the client's FIN. TCP has taken note of it, so there is nothing to send.
//
// A client that sends data again together with new data, because an acknowledgement
// was lost, hears some of it twice: the kernel hands out what it has received, not
// what of it is new. Package forward/engine/sockmap shows what to do about that.
//
//bpf:sk_skb/verdict
func Echo(ctx *sk.SkbContext) sk.Verdict {
	if ctx.Len == 0 {
		return sk.Drop
	}
	from := Client{Addr: ctx.Remote(), Port: ctx.RemotePort.Host()}
	return sk.RedirectSkb(ctx, &Conns, from, sk.Egress)
}
