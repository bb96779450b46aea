// Package tcxcount counts packets and bytes by protocol in global variables.
package tcxcount

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Counters of what passed.
var (
	IPv4, IPv6, Other uint64
	Bytes             uint64
)

//bpf:tc
func Prog(ctx *tc.Context) tc.Action {
	switch ctx.EtherType() {
	case packet.TypeIPv4:
		bpf.AtomicAdd(&IPv4, 1)
	case packet.TypeIPv6:
		bpf.AtomicAdd(&IPv6, 1)
	default:
		bpf.AtomicAdd(&Other, 1)
	}
	bpf.AtomicAdd(&Bytes, uint64(ctx.Len))
	return tc.OK
}
