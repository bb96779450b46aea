// Package tcpackets logs length and time to live of the IPv4 packets of an
// interface.
package tcpackets

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// LastLen and LastTTL are of the last packet.
var (
	LastLen uint16
	LastTTL uint8
)

// Log logs a packet.
//
//bpf:tc
func Log(ctx *tc.Context) tc.Action {
	if ctx.EtherType() != packet.TypeIPv4 {
		return tc.OK
	}
	ip := packet.At[packet.IPv4](ctx.Data(), packet.EthernetLen)
	if ip == nil {
		return tc.OK
	}
	LastLen, LastTTL = ip.TotalLen.Host(), ip.TTL
	bpf.Log("IP packet: total length %d, ttl %d", LastLen, LastTTL)
	return tc.OK
}
