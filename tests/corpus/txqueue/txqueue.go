// Package txqueue chooses the transmit queue of packets: those for one port have a
// queue for themselves.
package txqueue

import (
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Queue is the queue, counted from 1; Port the port in host byte order. Settable
// before load.
//
//bpf:const
var (
	Queue uint32 = 4
	Port  uint16 = 443
)

// Choose sets the queue of a packet that leaves.
//
//bpf:tc
func Choose(ctx *tc.Context) tc.Action {
	p := packet.Parse(ctx.Data())
	if p.DstPort() == Port {
		ctx.QueueMapping = Queue
	}
	return tc.OK
}
