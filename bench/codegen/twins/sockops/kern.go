// Package sockops reports the round-trip time of established connections.
package sockops

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// Conn is an IPv4 connection.
type Conn struct {
	Local, Remote         bpf.BE32
	LocalPort, RemotePort uint32
}

// Since holds when a connection was established.
var Since = bpf.Hash[Conn, uint64]{MaxEntries: 1024}

// RTT is what the events carry.
type RTT struct {
	Conn
	Micros uint32
	_      uint32
	Age    uint64
}

// Events goes to user space.
var Events = bpf.RingBuf[RTT]{MaxEntries: 1 << 16}

func connOf(ctx *sk.OpsContext) Conn {
	return Conn{bpf.BE32(ctx.LocalIP4), bpf.BE32(ctx.RemoteIP4), ctx.LocalPort, uint32(ctx.RemotePort)}
}

//bpf:sockops
func Prog(ctx *sk.OpsContext) int32 {
	switch ctx.Op {
	case sk.ActiveEstablished, sk.PassiveEstablished:
		Since.Update(connOf(ctx), bpf.KtimeGetNS(), bpf.Any)
	case sk.RTT:
		c := connOf(ctx)
		t := Since.Lookup(c)
		if t == nil {
			break
		}
		Events.Output(&RTT{Conn: c, Micros: ctx.SRTTUs >> 3, Age: bpf.KtimeGetNS() - *t})
	case sk.StateChange:
		if ctx.Args[1] == uint32(sk.Closed) {
			Since.Delete(connOf(ctx))
		}
	}
	return 1
}
