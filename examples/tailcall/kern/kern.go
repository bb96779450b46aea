// Package kern is the kernel half of tailcall: a chain of small programs, of
// which user space decides which ones run and in which order.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// MaxSteps is how many steps a chain can have. The kernel's own limit is 33.
const MaxSteps = 8

// Chain holds the programs of the chain, the first one at 0. User space may
// change it while packets flow.
var Chain = bpf.ProgArray{MaxEntries: MaxSteps}

// Reached counts the packets that came as far as each step of the chain. The
// number behind the last step is that of the packets that passed them all.
var Reached = bpf.PerCPUArray[uint64]{MaxEntries: MaxSteps + 1}

// state is the packet in the chain. A tail call takes nothing along but the
// context, so what the steps have to know lies in a map.
type state struct {
	step     uint32 // that is running
	proto    packet.Proto
	fragment bool
	ping     bool // an ICMP echo request
}

// current is the packet that this CPU is working on.
var current bpf.Scratch[state]

// Enter is the program on the interface. It looks at the packet once, for all
// steps, and starts the chain.
//
//bpf:xdp
func Enter(ctx *xdp.Context) xdp.Action {
	s := current.Get()
	if s == nil {
		return xdp.Pass
	}
	p := packet.Parse(ctx.Data())
	*s = state{proto: p.Proto, fragment: p.Fragment, ping: isPing(&p)}
	return run(ctx, s)
}

func isPing(p *packet.Packet) bool {
	switch {
	case p.ICMP == nil:
		return false
	case p.Proto == packet.ProtoICMP:
		return p.ICMP.Type == packet.ICMPEcho
	}
	return p.ICMP.Type == packet.ICMPv6Echo
}

// DropPing drops ICMP echo requests.
//
//bpf:xdp
func DropPing(ctx *xdp.Context) xdp.Action {
	s := current.Get()
	if s == nil || s.ping {
		return xdp.Drop
	}
	return next(ctx, s)
}

// DropUDP drops UDP packets.
//
//bpf:xdp
func DropUDP(ctx *xdp.Context) xdp.Action {
	s := current.Get()
	if s == nil || s.proto == packet.ProtoUDP {
		return xdp.Drop
	}
	return next(ctx, s)
}

// DropFragments drops pieces of bigger packets.
//
//bpf:xdp
func DropFragments(ctx *xdp.Context) xdp.Action {
	s := current.Get()
	if s == nil || s.fragment {
		return xdp.Drop
	}
	return next(ctx, s)
}

// next goes on with the step behind the one that is running.
func next(ctx *xdp.Context, s *state) xdp.Action {
	s.step++
	return run(ctx, s)
}

// run leaves for the step that is due. Behind the last one there is no program
// in the array: TailCall returns, and the packet passes.
func run(ctx *xdp.Context, s *state) xdp.Action {
	if n := Reached.Lookup(s.step); n != nil {
		*n++
	}
	Chain.TailCall(ctx, s.step)
	return xdp.Pass
}
