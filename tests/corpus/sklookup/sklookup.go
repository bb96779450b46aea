// Package sklookup lets one socket serve many ports: connections to any of them
// arrive at the socket that user space put into a map.
package sklookup

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// Ports holds, for each port in host byte order, the index of its socket.
var Ports = bpf.Hash[uint16, uint8]{MaxEntries: 1024}

// Servers holds the sockets.
var Servers = bpf.SockMap{MaxEntries: 16}

// Steered counts connections.
var Steered uint64

// Steer chooses the socket of a connection.
//
//bpf:sk_lookup
func Steer(ctx *sk.LookupContext) sk.Verdict {
	index := Ports.Lookup(uint16(ctx.LocalPort))
	if index == nil {
		return sk.Pass
	}
	server := ctx.SocketIn(&Servers, uint32(*index))
	if server == nil {
		return sk.Drop
	}
	err := ctx.Assign(server, 0)
	server.Release()
	if err != bpf.OK {
		return sk.Drop
	}
	bpf.AtomicAdd(&Steered, 1)
	return sk.Pass
}
