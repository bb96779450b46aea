// Package workqueue passes numbers through a queue and a stack: packets take a
// number, or put one back when their payload says so.
package workqueue

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

var (
	// Ports holds free ports: first in, first out.
	Ports = bpf.Queue[uint16]{MaxEntries: 16}
	// Recent holds the ports that were taken: last in, first out.
	Recent = bpf.Stack[uint16]{MaxEntries: 16}
)

// Take gives each UDP packet a source port from the queue.
//
//bpf:xdp
func Take(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if p.UDP == nil {
		return xdp.Pass
	}
	var port uint16
	if Ports.Pop(&port) != bpf.OK {
		return xdp.Drop // none is left
	}
	Recent.Push(port, bpf.Exist)
	from := p.UDP.SrcPort
	p.UDP.SrcPort = packet.Port(port)
	p.UDP.Checksum = packet.UpdateUDPChecksum(p.UDP.Checksum, from, p.UDP.SrcPort)
	return xdp.TX
}

// GiveBack frees the port that was taken last.
//
//bpf:xdp
func GiveBack(*xdp.Context) xdp.Action {
	var port uint16
	if Recent.Pop(&port) != bpf.OK || Ports.Push(port, bpf.Any) != bpf.OK {
		return xdp.Aborted
	}
	return xdp.Pass
}
