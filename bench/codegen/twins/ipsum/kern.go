// Package ipsum computes the checksum of IPv4 headers without options.
package ipsum

import (
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	words := packet.At[[10]uint16](ctx.Data(), packet.EthernetLen)
	if words == nil {
		return xdp.Aborted
	}
	var sum uint32
	for _, w := range words {
		sum += uint32(w)
	}
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	if uint16(^sum) != 0 {
		return xdp.Drop
	}
	return xdp.Pass
}
