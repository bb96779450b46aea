// Package tcpopts finds the maximum segment size in TCP options.
package tcpopts

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// MSS is the last one seen.
var MSS uint32

//bpf:xdp
func Prog(ctx *xdp.Context) xdp.Action {
	b := ctx.Data()
	const off = packet.EthernetLen + packet.IPv4Len
	tcp := packet.At[packet.TCP](b, off)
	if tcp == nil || !tcp.Has(packet.SYN) {
		return xdp.Pass
	}
	at, end := off+20, off+tcp.HeaderLen()
	for range 40 {
		if at >= end {
			break
		}
		kind := packet.At[uint8](b, at)
		if kind == nil || *kind == 0 {
			break
		}
		if *kind == 1 {
			at++
			continue
		}
		n := packet.At[uint8](b, at+1)
		if n == nil || *n < 2 {
			break
		}
		if *kind == 2 {
			if mss := packet.At[bpf.BE16](b, at+2); mss != nil {
				MSS = uint32(mss.Host())
			}
			break
		}
		at += int(*n)
	}
	return xdp.Pass
}
