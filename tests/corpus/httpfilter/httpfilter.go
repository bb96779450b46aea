// Package httpfilter is a socket filter that picks HTTP requests and replies out
// of all packets and sends their first bytes to user space. The socket itself
// gets nothing.
package httpfilter

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// MaxPayload is how many bytes of a payload an event has.
const MaxPayload = 64

// minPayload is the length of the shortest HTTP message that is looked for.
const minPayload = 7

// Event is the start of an HTTP message.
type Event struct {
	SrcIP, DstIP     bpf.BE32
	SrcPort, DstPort bpf.BE16
	PayloadLen       uint32
	PacketType       uint32 // incoming, outgoing, ...
	IfIndex          uint32
	Payload          [MaxPayload]byte
}

// Events carries the messages to user space.
var Events = bpf.RingBuf[Event]{MaxEntries: 256 << 10}

// starts are the first four bytes of what is taken for HTTP.
var starts = [...][4]byte{
	{'G', 'E', 'T', ' '}, {'P', 'O', 'S', 'T'}, {'P', 'U', 'T', ' '}, {'D', 'E', 'L', 'E'}, {'H', 'T', 'T', 'P'},
}

// Filter looks at a packet.
//
//bpf:socket
func Filter(ctx *sk.FilterContext) sk.Keep {
	var ip packet.IPv4
	if sk.Load(ctx, packet.EthernetLen, &ip) != bpf.OK || ip.Proto != packet.ProtoTCP || ip.IsLaterFragment() {
		return sk.KeepNone
	}
	var tcp packet.TCP
	l4 := packet.EthernetLen + ip.HeaderLen()
	if sk.Load(ctx, l4, &tcp) != bpf.OK {
		return sk.KeepNone
	}
	l7 := l4 + tcp.HeaderLen()
	n := packet.EthernetLen + int(ip.TotalLen.Host()) - l7
	var start [4]byte
	if n < minPayload || sk.Load(ctx, l7, &start) != bpf.OK || !isHTTP(start) {
		return sk.KeepNone
	}
	e := Events.Reserve()
	if e == nil {
		return sk.KeepNone
	}
	e.SrcIP, e.DstIP = ip.SrcIP, ip.DstIP
	e.SrcPort, e.DstPort = tcp.SrcPort, tcp.DstPort
	e.PayloadLen = uint32(n)
	e.PacketType, e.IfIndex = ctx.PacketType, ctx.IfIndex
	clear(e.Payload[:])
	if ctx.LoadBytes(l7, e.Payload[:min(n, MaxPayload)]) != bpf.OK {
		Events.Discard(e)
		return sk.KeepNone
	}
	Events.Submit(e)
	return sk.KeepNone
}

func isHTTP(start [4]byte) bool {
	for _, s := range starts {
		if start == s {
			return true
		}
	}
	return false
}
