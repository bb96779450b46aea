package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// received notes what a segment from the peer says of a pair in that state. It
// returns the payload that was not seen before. The lock is held.
func (d *Side) received(s *segment, state State) uint32 {
	if s.stamps != 0 {
		d.StampFrom = s.stamp
	}
	if d.Known&knownFrom == 0 {
		d.Known |= knownFrom
		d.Next, d.Acked = s.seq, s.ack
	}
	if after(s.ack, d.Acked) {
		d.Acked = s.ack
	}
	end := s.seq + s.size
	if d.Fin != finNone {
		end = d.FinSeq // a FIN takes up a sequence number, but is no byte
	}
	// Nor must one be counted that was lost on its way here, and that only an
	// acknowledgement behind it tells of. What is not counted yet may be ahead.
	if s.size == 0 && state != Watching || !after(end, d.Next) {
		return 0
	}
	fresh := end - d.Next
	d.Next = end
	return fresh
}

// sent notes what a segment to the peer says. The lock is held.
func (d *Side) sent(s *segment, ifindex uint32) {
	if s.stamps != 0 {
		d.StampTo = s.stamp
	}
	edge := s.ack + uint32(s.window)<<(d.OwnScale&15)
	if d.Known&knownTo == 0 || after(edge, d.Edge) {
		d.Edge = edge
	}
	d.Known |= knownTo
	d.Out = ifindex
}

// mayStart reports whether a pair can be spliced at a segment like this: one that
// carries nothing but data and acknowledgement.
func (s *segment) mayStart() bool {
	return s.flags&(packet.ACK|packet.SYN|packet.FIN|packet.RST|packet.URG) == packet.ACK
}

// trySplice notes segment s from one side, and splices the pair at it if it is
// quiescent. It returns the pair's state and the new payload.
func (c *Conn) trySplice(ctx *tc.Context, side uint32, s *segment) (State, uint32) {
	mine, other := &c.Sides[side&1], &c.Sides[side&1^1]
	if mine.Known|knownFrom != knownAll || other.Known != knownAll {
		return c.pass(mine, s)
	}
	from := mine.Tuple.socket(ctx, s.v6)
	if from == nil {
		return c.pass(mine, s)
	}
	to := other.Tuple.socket(ctx, s.v6)
	if to == nil {
		from.Release()
		return c.pass(mine, s)
	}
	state, fresh := Watching, uint32(0)
	x, y := from.TCP(), to.TCP()
	if x != nil && y != nil {
		// Looking and noting go together: of two packets that arrive at once, the
		// second one has to know of the first.
		c.lock.Lock()
		// Once a FIN has been passed on, the sums agree again, but what the two
		// connections have left to say is not the same any more.
		open := from.State == sk.Established && to.State == sk.Established
		if c.State == Watching && open && mine.quiescent(other, s, x, y) {
			mine.join(other, s, x, y)
			c.State = Spliced
		}
		fresh = mine.received(s, c.State)
		state = c.State
		c.lock.Unlock()
	}
	to.Release()
	from.Release()
	return state, fresh
}

// pass notes a segment from a side, and returns the pair's state and the new payload.
func (c *Conn) pass(d *Side, s *segment) (State, uint32) {
	c.lock.Lock()
	fresh := d.received(s, c.State)
	state := c.State
	c.lock.Unlock()
	return state, fresh
}

// socket returns the forwarder's socket of a connection, nil if it is gone.
func (t *Tuple) socket(ctx *tc.Context, v6 bool) *bpf.Sock {
	if v6 {
		name := sk.Tuple6{Src: t.Peer.Words(), Dst: t.Local.Words(), SrcPort: t.PeerPort, DstPort: t.LocalPort}
		return sk.FindTCP(ctx, &name)
	}
	name := sk.Tuple4{Src: t.Peer.As4(), Dst: t.Local.As4(), SrcPort: t.PeerPort, DstPort: t.LocalPort}
	return sk.FindTCP(ctx, &name)
}

// quiescent reports whether nothing is on its way inside the forwarder when segment
// s arrives from the peer of d, whose socket is x; y is the other side's. The lock
// is held. Packets that have passed the programs but have not reached the sockets
// yet show: data as a Next beyond what the socket has received, which speaks against
// it; acknowledgements, which the socket will only hear, as an Acked beyond its own.
//
// That all was sent needs no look at what the sockets send next: it has been
// acknowledged, sometimes before the socket has noted that it has sent it.
func (d *Side) quiescent(other *Side, s *segment, x, y *bpf.TCPSock) bool {
	return d.inOrder(s, x) && other.Next == y.RcvNxt &&
		uint32(x.BytesReceived)-acked(y, other.Acked) == d.Lead &&
		uint32(y.BytesReceived)-acked(x, s.ack) == other.Lead
}

// inOrder reports whether segment s is the one that the socket waits for, and nothing
// is ahead of it. A probe of the window or of an idle connection, which repeats the
// last sequence number, will do as well.
func (d *Side) inOrder(s *segment, x *bpf.TCPSock) bool {
	ahead := d.Known&knownFrom != 0 && d.Next != x.RcvNxt
	probe := s.seq == x.RcvNxt-1 && s.size == 0
	return !ahead && (s.seq == x.RcvNxt || probe)
}

// acked is how many bytes a socket's peer has acknowledged with acknowledgement ack.
func acked(t *bpf.TCPSock, ack uint32) uint32 { return uint32(t.BytesAcked) + ack - t.SndUna }

// join works out what makes packets of either side into packets of the other: what
// the forwarder would send next, which is what its peer has acknowledged, takes the
// place of what it would receive next. Time stamps go on from the last one that was
// sent.
func (d *Side) join(other *Side, s *segment, x, y *bpf.TCPSock) {
	d.Seq = other.Acked - x.RcvNxt
	other.Seq = s.ack - y.RcvNxt
	d.Ack, other.Ack = -other.Seq, -d.Seq
	d.Stamp = other.StampTo - s.stamp
	other.Stamp = d.StampTo - other.StampFrom
	d.Echo, other.Echo = -other.Stamp, -d.Stamp
}
