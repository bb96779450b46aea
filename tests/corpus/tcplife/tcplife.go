// Package tcplife reports every TCP connection when it ends: who had it, with whom
// and how long.
package tcplife

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// maxPorts is how many ports can be asked for.
const maxPorts = 64

// What to report. Settable before load: the verifier removes what is off.
//
//bpf:const
var (
	PID       uint32           // if not 0, of this process only
	Family    uint16           // if not 0, of this family only
	NumPorts  uint32           // if not 0, how many of Ports count
	Ports     [maxPorts]uint16 // own ports
	SkipLocal bool             // not those from a machine to itself
)

// setState is the context of tracepoint sock/inet_sock_set_state.
type setState struct {
	trace.Common
	Sock     uint64
	Old, New sk.State
	SrcPort  uint16
	DstPort  uint16
	Family   uint16
	Protocol uint16
	SrcIP4   bpf.BE32
	DstIP4   bpf.BE32
	SrcIP6   packet.Addr // an IPv4 address is mapped
	DstIP6   packet.Addr
}

// owner is the process that a connection belongs to. It is known in the states in
// which the process itself does something.
type owner struct {
	PID  uint32
	Comm [16]byte
	_    [4]byte
}

// Life is a connection that ended.
type Life struct {
	Src, Dst packet.Addr
	Time     uint64 // ns since boot
	Duration uint64 // ns
	SrcPort  uint16
	DstPort  uint16
	Family   uint16
	_        [2]byte
	PID      uint32 // 0 if not known
	Comm     [16]byte
	_        [4]byte
}

var (
	// Births holds when connections began, by address of the socket.
	Births = bpf.Hash[uint64, uint64]{MaxEntries: 10240}
	// Owners holds whose they are.
	Owners = bpf.Hash[uint64, owner]{MaxEntries: 10240}
	// Lives carries what ended.
	Lives bpf.PerfEventArray[Life]
)

// SetState sees a change of state.
//
//bpf:tracepoint sock/inet_sock_set_state
func SetState(ctx *setState) int32 {
	if packet.Proto(ctx.Protocol) != packet.ProtoTCP || !wanted(ctx) {
		return 0
	}
	now := bpf.KtimeGetNS()
	if ctx.New < sk.FinWait1 { // it begins
		Births.Update(ctx.Sock, now, bpf.Any)
	}
	if ctx.New == sk.SynSent || ctx.New == sk.LastAck {
		note(ctx.Sock)
	}
	if ctx.New == sk.Closed {
		end(ctx, now)
	}
	return 0
}

func wanted(ctx *setState) bool {
	if Family != 0 && Family != ctx.Family {
		return false
	}
	if SkipLocal && ctx.SrcIP6 == ctx.DstIP6 {
		return false
	}
	if NumPorts == 0 {
		return true
	}
	for i, port := range Ports {
		if uint32(i) >= NumPorts {
			break
		}
		if port == ctx.SrcPort {
			return true
		}
	}
	return false
}

// note remembers whose a socket is.
func note(sock uint64) {
	pid := bpf.CurrentPID()
	if PID != 0 && PID != pid {
		return
	}
	o := owner{PID: pid}
	bpf.GetCurrentComm(&o.Comm)
	Owners.UpdateFrom(sock, &o, bpf.Any)
}

// end reports a connection and forgets it.
func end(ctx *setState, now uint64) {
	if born := Births.Lookup(ctx.Sock); born != nil {
		l := Life{
			Src: ctx.SrcIP6, Dst: ctx.DstIP6,
			Time: now, Duration: now - *born,
			SrcPort: ctx.SrcPort, DstPort: ctx.DstPort,
			Family: ctx.Family,
		}
		if o := Owners.Lookup(ctx.Sock); o != nil {
			l.PID, l.Comm = o.PID, o.Comm
		}
		if PID == 0 || PID == l.PID {
			Lives.Output(ctx, &l)
		}
		Births.Delete(ctx.Sock)
	}
	Owners.Delete(ctx.Sock)
}
