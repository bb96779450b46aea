package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Loopback is the index of the loopback interface in every network namespace.
const Loopback = 1

// translated marks packets that leave by another interface, for Egress to tell
// them from the forwarder's own, in a field that nothing on the way looks at.
const translated = 0x7767

// Ingress sees the packets that arrive on an interface with Ethernet headers.
//
//bpf:tc
func Ingress(ctx *tc.Context) tc.Action { return arrive(ctx, packet.EthernetLen) }

// IngressIP sees the packets that arrive on an interface without link layer.
//
//bpf:tc
func IngressIP(ctx *tc.Context) tc.Action { return arrive(ctx, 0) }

func arrive(ctx *tc.Context, l2 int) tc.Action {
	var s segment
	if !s.parse(ctx, l2) {
		return tc.Next
	}
	ref := Flows.Lookup(s.from())
	if ref == nil {
		return tc.Next
	}
	c, m := Conns.Lookup(ref.Slot), Meters.Lookup(ref.Slot)
	if c == nil || m == nil || c.State == Unused || c.reused(m, &s) {
		return tc.Next
	}
	side := ref.Side & 1
	switch {
	case !s.has(packet.SYN):
		if !c.follow(ctx, m, ref, &s) {
			return tc.Next
		}
	case c.State == Watching:
		return tc.Next
	case s.size != 0:
		return tc.Drop // its sender will try without data (RFC 7413 4.2.2)
	default:
		c.doubt(side, &s)
	}
	return forward(ctx, c, side, &s, l2)
}

// follow notes a segment, splices the pair if this is the moment, and reports whether
// the segment is to be passed on.
func (c *Conn) follow(ctx *tc.Context, m *Meter, ref *Ref, s *segment) bool {
	side := ref.Side & 1
	now := bpf.KtimeGetNS()
	before := c.State
	state, fresh := before, uint32(0)
	if before == Watching && s.mayStart() {
		state, fresh = c.trySplice(ctx, side, s)
	} else {
		state, fresh = c.pass(&c.Sides[side], s)
	}
	if state == Watching {
		m.Tried++
		return false
	}
	news := before == Watching && m.State == Watching
	if news {
		m.Switched = now
		m.State = Spliced
	}
	if !s.has(packet.RST) {
		m.Last = now
	}
	bpf.AtomicAdd(&m.Bytes[side], uint64(fresh))
	if s.has(packet.FIN|packet.RST) && c.ending(m, side, s) {
		news = true
	}
	if c.acknowledge(side, s) {
		m.State = Ended
		news = true
	}
	if news {
		tell(ref.Slot)
	}
	return true
}

// tell tells user space to look at a pair.
func tell(slot uint32) {
	if e := Events.Reserve(); e != nil {
		*e = slot
		Events.Submit(e)
	}
}

// forward sends a segment from one side on to the other one's peer.
func forward(ctx *tc.Context, c *Conn, side uint32, s *segment, l2 int) tc.Action {
	d, other := &c.Sides[side&1], &c.Sides[side&1^1]
	n := Counts.Lookup(0)
	if !s.translate(ctx, d, other) {
		if n != nil {
			n.Stray++
		}
		return tc.Drop
	}
	if n != nil {
		n.Translated++
	}
	if other.Out != Loopback {
		ctx.TCIndex = translated
		return ctx.RedirectNeigh(other.Out)
	}
	if ctx.IfIndex != Loopback {
		return deliver(ctx, l2)
	}
	if Flows.Lookup(other.Tuple.reverse()) != nil {
		// The peer is another forwarder here, which splices as well: let the
		// packet arrive once more.
		return ctx.Redirect(Loopback, tc.Ingress)
	}
	return tc.Next
}

// reverse is the tuple of the connection's other end.
func (t *Tuple) reverse() Tuple {
	return Tuple{Peer: t.Local, Local: t.Peer, PeerPort: t.LocalPort, LocalPort: t.PeerPort}
}

// deliver hands a packet to the local machine as loopback does.
func deliver(ctx *tc.Context, l2 int) tc.Action {
	if l2 == 0 {
		return tc.Drop // user space does not link such pairs
	}
	var none [12]byte // the loopback interface's Ethernet addresses
	if !ctx.StoreBytes(0, none[:], 0).Ok() {
		return tc.Drop
	}
	return ctx.Redirect(Loopback, tc.Ingress)
}
