// Package httpdrop drops packets whose payload starts like an HTTP/1.1
// response and counts them.
package httpdrop

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Event says what was dropped.
type Event struct {
	Src, Dst         bpf.BE32
	SrcPort, DstPort bpf.BE16
	_                uint32
}

// Events are the drops.
var Events = bpf.RingBuf[Event]{MaxEntries: 1 << 16}

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	eth := packet.At[packet.Ethernet](b, 0)
	if eth == nil || eth.Type != packet.TypeIPv4 {
		return xdp.Pass
	}
	ip := packet.At[packet.IPv4](b, packet.EthernetLen)
	if ip == nil || ip.Proto != packet.ProtoTCP {
		return xdp.Pass
	}
	off := packet.EthernetLen + ip.HeaderLen()
	tcp := packet.At[packet.TCP](b, off)
	if tcp == nil {
		return xdp.Pass
	}
	start := packet.At[[8]byte](b, off+tcp.HeaderLen())
	if start == nil || *start != [8]byte{'H', 'T', 'T', 'P', '/', '1', '.', '1'} {
		return xdp.Pass
	}
	Events.Output(&Event{Src: ip.SrcIP, Dst: ip.DstIP, SrcPort: tcp.SrcPort, DstPort: tcp.DstPort})
	return xdp.Drop
}
