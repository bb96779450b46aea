// Package kern is the kernel half of httpcount.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Requests counts HTTP requests by client address.
var Requests = bpf.LRUHash[packet.Addr, uint64]{MaxEntries: 4096}

//bpf:xdp
func Count(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if !p.IsTCP() || !p.Payload.HasPrefix("GET ") {
		return xdp.Pass
	}
	if n := Requests.Lookup(p.Src()); n != nil {
		bpf.AtomicAdd(n, 1)
	} else {
		Requests.Update(p.Src(), 1, bpf.NoExist)
	}
	return xdp.Pass
}
