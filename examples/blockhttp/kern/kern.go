// Package kern is the kernel half of blockhttp: it drops the responses of HTTP
// servers.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Block says which packet was dropped.
type Block struct {
	Src, Dst         packet.Addr
	SrcPort, DstPort uint16
}

// Blocks takes an event for every dropped packet to user space.
var Blocks = bpf.RingBuf[Block]{MaxEntries: 64 << 10}

// Drop drops TCP packets whose payload starts like a response.
//
//bpf:xdp
func Drop(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if !p.IsTCP() || !p.Payload.HasPrefix("HTTP/1.1") {
		return xdp.Pass
	}
	if e := Blocks.Reserve(); e != nil { // else the buffer is full, and the event counted as lost
		*e = Block{Src: p.Src(), Dst: p.Dst(), SrcPort: p.SrcPort(), DstPort: p.DstPort()}
		Blocks.Submit(e)
	}
	return xdp.Drop
}
