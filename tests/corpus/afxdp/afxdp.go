// Package afxdp hands packets to AF_XDP sockets, one for each receive queue. Every
// second packet takes the usual way, to show the difference.
package afxdp

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// queues is how many receive queues there may be.
const queues = 64

// Sockets holds the socket of each queue.
var Sockets = bpf.XSKMap{MaxEntries: queues}

// Packets counts packets by queue.
var Packets = bpf.PerCPUArray[uint32]{MaxEntries: queues}

// Receive hands a packet to the socket of its queue; if there is none, it passes.
//
//bpf:xdp
func Receive(ctx *xdp.Context) xdp.Action {
	queue := ctx.RxQueueIndex
	if n := Packets.Lookup(queue); n != nil {
		*n++
		if *n%2 == 0 {
			return xdp.Pass
		}
	}
	return xdp.RedirectMap(ctx, &Sockets, queue, xdp.Pass)
}
