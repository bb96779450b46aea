package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// maxRecords is how many records the biggest packet takes: Linux limits them to
// 8*65535 bytes (GSO_MAX_SIZE in include/linux/netdevice.h).
const maxRecords = 8*65535/MaxData + 1

// send sends a segment in as many records as it takes. When there is no room for
// one, the rest is left out and may be sent when the packet passes again.
func (s *segment) send(ctx *tc.Context, f *State) {
	r := record.Get()
	if r == nil {
		return
	}
	if f.FromStart && f.Next == f.Born {
		s.flags |= FromStart
	}
	if f.Left {
		s.flags |= Gap
		f.Next = s.seq
	}
	r.Time = bpf.KtimeGetNS()
	r.Flow = s.flow
	r.Born = f.Born
	r.IfIndex = ctx.IfIndex

	seq, whole := s.seq, s.len
	sent := s.sendPiece(ctx, r)
	if sent && isConnect(r) {
		expectTunnel(s.flow.Reverse())
	}
	for range maxRecords - 1 {
		if !sent || s.len == 0 {
			break
		}
		sent = s.sendPiece(ctx, r)
	}
	f.Left = !sent
	f.pass(seq, whole-s.len)
	if c := Traffic.Lookup(0); c != nil {
		c.Sent += uint64(whole - s.len)
	}
}

// sendPiece sends as much of s as a record holds and cuts it off. It is a function of
// its own so that the loop around it keeps its counter in a register: before Linux 6.7
// the verifier takes a counter on the stack for none at all.
//
//bpf:noinline
func (s *segment) sendPiece(ctx *tc.Context, r *Record) bool {
	n := min(s.len, MaxData)
	r.Seq, r.Len, r.Flags = s.seq, n, s.flags
	// It is at least 1 anyway, but verifiers before Linux 6.8 learn that from this
	// comparison only, not from one with 0.
	sent := n >= 1 && ctx.LoadBytes(int(s.off), r.Data[:n]).Ok() &&
		Events.OutputN(r, HeaderLen+n, Events.Wakeup()).Ok()
	if sent {
		s.cut(n)
	}
	return sent
}

// switched tells user space that the server of the flow has switched protocols. s is
// the server's reply.
func (s *segment) switched() {
	r := record.Get()
	if r == nil {
		return
	}
	r.Header = Header{Time: bpf.KtimeGetNS(), Flow: s.flow.Reverse(), Flags: Switched}
	Events.OutputN(r, HeaderLen, Events.Wakeup())
}

func isConnect(r *Record) bool { return r.Len > 8 && string(r.Data[:8]) == "CONNECT " }

// expectTunnel makes the programs look at the reply to a CONNECT.
func expectTunnel(reply Flow) {
	if f := Flows.Lookup(reply); f != nil {
		f.Tunnel = true
	} else {
		Flows.Update(reply, State{Mode: replies, Tunnel: true}, bpf.NoExist)
	}
}
