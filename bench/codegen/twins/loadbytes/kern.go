// Package loadbytes is a socket filter that keeps HTTP requests.
package loadbytes

import (
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

//bpf:tc
func Prog(ctx *tc.Context) tc.Action {
	var ip packet.IPv4
	if !tc.Load(ctx, packet.EthernetLen, &ip).Ok() || ip.Proto != packet.ProtoTCP {
		return tc.OK
	}
	off := packet.EthernetLen + ip.HeaderLen()
	var tcp packet.TCP
	if !tc.Load(ctx, off, &tcp).Ok() {
		return tc.OK
	}
	var start [4]byte
	if !tc.Load(ctx, off+tcp.HeaderLen(), &start).Ok() {
		return tc.OK
	}
	switch start {
	case [4]byte{'G', 'E', 'T', ' '}, [4]byte{'P', 'O', 'S', 'T'}, [4]byte{'P', 'U', 'T', ' '}, [4]byte{'H', 'E', 'A', 'D'}:
		return tc.Drop
	}
	return tc.OK
}
