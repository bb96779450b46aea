// Package pping measures round-trip times of TCP connections as they pass, by the
// time stamps in their packets (RFC 7323): it notes when one is sent and looks for
// its echo (as pping does).
package pping

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// MinInterval is the least time between two reports of a flow in ns. Settable
// before load.
//
//bpf:const
var MinInterval uint64

// Flow is one direction of a connection.
type Flow struct {
	Src, Dst         packet.Addr
	SrcPort, DstPort bpf.BE16
}

// Reverse returns the other direction.
func (f *Flow) Reverse() Flow {
	return Flow{Src: f.Dst, Dst: f.Src, SrcPort: f.DstPort, DstPort: f.SrcPort}
}

// Stamp is a time stamp that a flow has sent.
type Stamp struct {
	Flow  Flow
	Value uint32
}

// State is what is known of a flow.
type State struct {
	Packets, Bytes uint64
	Last           uint32 // the last time stamp
	_              [4]byte
	MinRTT, SRTT   uint64 // ns; 0: none was measured
	Reported       uint64 // when, ns since boot
}

// Event is one measurement.
type Event struct {
	Time         uint64 // ns since boot
	RTT          uint64 // ns
	MinRTT, SRTT uint64
	Flow         Flow // that was measured: from here to there and back
	Opened       bool // this is the answer to its first packet
	_            [3]byte
}

var (
	// Stamps holds when time stamps were sent first.
	Stamps = bpf.LRUHash[Stamp, uint64]{MaxEntries: 16384}
	// Flows holds the flows.
	Flows = bpf.LRUHash[Flow, State]{MaxEntries: 4096}
	// Events carries the measurements.
	Events bpf.PerfEventArray[Event]
)

// Egress looks at a packet that leaves.
//
//bpf:tc
func Egress(ctx *tc.Context) tc.Action { return look(ctx) }

// Ingress looks at a packet that arrives.
//
//bpf:tc
func Ingress(ctx *tc.Context) tc.Action { return look(ctx) }

func look(ctx *tc.Context) tc.Action {
	b := ctx.Data()
	p := packet.Parse(b)
	if p.TCP == nil {
		return tc.Next
	}
	o := p.TCPOptions(b)
	if !o.HasTimestamps {
		return tc.Next
	}
	f := Flow{Src: p.Src(), Dst: p.Dst(), SrcPort: p.TCP.SrcPort, DstPort: p.TCP.DstPort}
	now := bpf.KtimeGetNS()
	// A pure acknowledgement is not acknowledged, so its stamp may come back
	// any time later.
	if n := p.PayloadLen(); n > 0 || p.TCP.Flags&(packet.SYN|packet.FIN) != 0 {
		send(f, o.TSVal, uint64(n), now)
	}
	if p.TCP.Has(packet.ACK) {
		other := f.Reverse()
		answered(ctx, &other, o.TSEcr, p.TCP.Has(packet.SYN), now)
	}
	if p.TCP.Flags&packet.RST != 0 {
		Flows.Delete(f)
		Flows.Delete(f.Reverse())
	}
	return tc.Next
}

// send notes when a time stamp is sent, unless it was sent before.
func send(f Flow, stamp uint32, bytes, now uint64) {
	s := Flows.Lookup(f)
	if s == nil {
		Flows.Update(f, State{Packets: 1, Bytes: bytes, Last: stamp}, bpf.NoExist)
	} else {
		bpf.AtomicAdd(&s.Packets, 1)
		bpf.AtomicAdd(&s.Bytes, bytes)
		if int32(stamp-s.Last) <= 0 {
			return
		}
		s.Last = stamp
	}
	Stamps.Update(Stamp{Flow: f, Value: stamp}, now, bpf.NoExist)
}

// answered takes the echo of a time stamp that f has sent.
func answered(ctx *tc.Context, f *Flow, stamp uint32, opened bool, now uint64) {
	key := Stamp{Flow: *f, Value: stamp}
	sent := Stamps.Lookup(key)
	if sent == nil || *sent > now {
		return
	}
	rtt := now - *sent
	if Stamps.Delete(key) != bpf.OK {
		return // another packet was faster
	}
	s := Flows.Lookup(*f)
	if s == nil {
		return
	}
	s.measured(rtt)
	if now-s.Reported < MinInterval && s.Reported != 0 {
		return
	}
	s.Reported = now
	e := Event{Time: now, RTT: rtt, MinRTT: s.MinRTT, SRTT: s.SRTT, Flow: *f, Opened: opened}
	Events.Output(ctx, &e)
}

// measured takes a measurement into the account, smoothed as RFC 6298 says.
func (s *State) measured(rtt uint64) {
	if s.SRTT == 0 {
		s.MinRTT, s.SRTT = rtt, rtt
		return
	}
	s.MinRTT = min(s.MinRTT, rtt)
	s.SRTT = s.SRTT - s.SRTT>>3 + rtt>>3
}
