// Package patchports lowers the destination port of TCP and UDP packets by one
// before the kernel sees them, and keeps their checksums right.
package patchports

import (
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Patch rewrites a packet.
//
//bpf:xdp
func Patch(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	switch {
	case p.TCP != nil:
		from := p.TCP.DstPort
		p.TCP.DstPort = packet.Port(from.Host() - 1)
		p.TCP.Checksum = packet.UpdateChecksum(p.TCP.Checksum, from, p.TCP.DstPort)
	case p.UDP != nil:
		from := p.UDP.DstPort
		p.UDP.DstPort = packet.Port(from.Host() - 1)
		p.UDP.Checksum = packet.UpdateUDPChecksum(p.UDP.Checksum, from, p.UDP.DstPort)
	}
	return xdp.Pass
}
