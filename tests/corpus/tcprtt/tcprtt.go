// Package tcprtt reports the round-trip time of TCP connections over IPv4: every
// measurement of connections that were opened while it was loaded.
package tcprtt

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// Conn is a connection. Ports are in host byte order.
type Conn struct {
	SrcIP, DstIP     bpf.BE32
	SrcPort, DstPort uint16
}

// Role says who opened a connection.
type Role uint32

// The roles.
const (
	Client Role = 1 + iota // this machine
	Server
)

// Event is one measurement.
type Event struct {
	Conn Conn
	Role Role
	SRTT uint32 // smoothed round-trip time in us
}

// Roles holds the connections that are followed.
var Roles = bpf.Hash[Conn, Role]{MaxEntries: 4096}

// Events carries the measurements.
var Events = bpf.RingBuf[Event]{MaxEntries: 1 << 20}

// Watch sees what happens to connections.
//
//bpf:sockops
func Watch(ctx *sk.OpsContext) sk.Reply {
	if ctx.Family != sk.AFInet {
		return sk.KeepReply
	}
	c := connOf(ctx)
	switch ctx.Op {
	case sk.ActiveEstablished:
		follow(ctx, c, Client)
	case sk.PassiveEstablished:
		follow(ctx, c, Server)
	case sk.StateChange:
		if ctx.NewState() == sk.Closed {
			Roles.Delete(c)
		}
	case sk.RTT:
		report(ctx, c)
	}
	return sk.KeepReply
}

func connOf(ctx *sk.OpsContext) Conn {
	return Conn{
		SrcIP: ctx.LocalIP4, DstIP: ctx.RemoteIP4,
		SrcPort: uint16(ctx.LocalPort), DstPort: uint16(ctx.RemotePort.Host()),
	}
}

// follow asks the kernel to report measurements and the end of a connection.
func follow(ctx *sk.OpsContext, c Conn, role Role) {
	Roles.Update(c, role, bpf.Any)
	ctx.SetCbFlags(sk.CbFlags(ctx.CbFlags) | sk.ReportRTT | sk.ReportStateChange)
}

func report(ctx *sk.OpsContext, c Conn) {
	role := Roles.Lookup(c)
	if role == nil {
		return
	}
	e := Event{Conn: c, Role: *role, SRTT: ctx.SRTTUs >> 3}
	Events.Output(&e)
}
