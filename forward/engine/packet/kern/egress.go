package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Egress sees the packets that leave by an interface with Ethernet headers.
//
//bpf:tc
func Egress(ctx *tc.Context) tc.Action { return leave(ctx, packet.EthernetLen) }

// EgressIP sees the packets that leave by an interface without link layer.
//
//bpf:tc
func EgressIP(ctx *tc.Context) tc.Action { return leave(ctx, 0) }

func leave(ctx *tc.Context, l2 int) tc.Action {
	if ctx.TCIndex == translated {
		ctx.TCIndex = 0
		return tc.Next
	}
	var s segment
	if !s.parse(ctx, l2) {
		return tc.Next
	}
	ref := Flows.Lookup(s.to())
	if ref == nil {
		return tc.Next
	}
	c, m := Conns.Lookup(ref.Slot), Meters.Lookup(ref.Slot)
	if c == nil || m == nil || c.State == Unused || c.reused(m, &s) {
		return tc.Next
	}
	d := &c.Sides[ref.Side&1]
	window, state := c.send(d, &s, ctx.IfIndex)
	switch {
	case state != Watching:
		return suppress(ctx, d, m, &s)
	case window != s.window:
		m.Held++
		return narrow(ctx, &s, window)
	}
	return tc.Next
}

// send notes a segment to one side's peer while the pair is being watched, and
// returns the window that it may advertise.
func (c *Conn) send(d *Side, s *segment, ifindex uint32) (uint16, State) {
	window := s.window
	now := bpf.KtimeGetNS()
	c.lock.Lock()
	state := c.State
	if state == Watching {
		if d.Known&knownTo != 0 && c.holding(now) {
			window = d.held(s)
		}
		note := *s
		note.window = window
		d.sent(&note, ifindex)
	}
	c.lock.Unlock()
	return window, state
}

// narrow makes a segment advertise another window.
func narrow(ctx *tc.Context, s *segment, window uint16) tc.Action {
	h := packet.At[packet.TCP](ctx.Data(), s.l4)
	if h == nil {
		return tc.Next
	}
	from, to := h.Window, bpf.ToBE16(window)
	h.Window = to
	ctx.L4CsumReplace(s.l4+tcpChecksum, uint64(from), uint64(to), tc.CsumSize2)
	return tc.Next
}

// suppress keeps a segment of a spliced connection's own socket from the peer,
// except a RST by which user space ends the connection: that gets the sequence
// number at which the peer accepts it.
func suppress(ctx *tc.Context, d *Side, m *Meter, s *segment) tc.Action {
	if m.Abort == 0 || !s.has(packet.RST) {
		if n := Counts.Lookup(0); n != nil {
			n.Suppressed++
		}
		return tc.Drop
	}
	h := packet.At[packet.TCP](ctx.Data(), s.l4)
	if h == nil {
		return tc.Drop
	}
	from, to := h.Seq, bpf.ToBE32(d.Acked)
	h.Seq = to
	ctx.L4CsumReplace(s.l4+tcpChecksum, uint64(from), uint64(to), tc.CsumSize4)
	return tc.Next
}
