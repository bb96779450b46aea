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

	whole := s.len
	sent := s.sendPiece(ctx, f, r)
	if sent && isConnect(r) {
		expectTunnel(s.flow.Reverse())
	}
	for range maxRecords - 1 {
		if !sent || s.len == 0 {
			break
		}
		sent = s.sendPiece(ctx, f, r)
	}
	f.Left = !sent
	if c := Traffic.Lookup(0); c != nil {
		c.Sent += uint64(whole - s.len)
	}
}

// sendPiece sends as much of s as a record holds and cuts it off.
func (s *segment) sendPiece(ctx *tc.Context, f *State, r *Record) bool {
	n := min(s.len, MaxData)
	if n == 0 || !ctx.LoadBytes(int(s.off), r.Data[:n]).Ok() {
		return false
	}
	r.Seq, r.Len, r.Flags = s.seq, n, s.flags
	if !Events.OutputN(r, HeaderLen+n, Events.Wakeup()).Ok() {
		return false
	}
	f.pass(s.seq, n)
	s.cut(n)
	return true
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
