package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// received notes what a segment from the peer says. It returns the payload that
// was not seen before. The lock is held.
func (d *Side) received(s *segment) uint32 {
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
	if !after(end, d.Next) {
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

// trySplice splices the pair at segment s from one of its sides if it is quiescent,
// and reports whether it did.
func (c *Conn) trySplice(ctx *tc.Context, side uint32, s *segment) bool {
	mine, other := &c.Sides[side&1], &c.Sides[side&1^1]
	if mine.Known|knownFrom != knownAll || other.Known != knownAll {
		return false
	}
	from := mine.Tuple.socket(ctx, s.v6)
	if from == nil {
		return false
	}
	to := other.Tuple.socket(ctx, s.v6)
	if to == nil {
		from.Release()
		return false
	}
	done := false
	x, y := from.TCP(), to.TCP()
	if x != nil && y != nil {
		c.lock.Lock()
		// Once a FIN has been passed on, the sums agree again, but what the two
		// connections have left to say is not the same any more.
		open := from.State == sk.Established && to.State == sk.Established
		if c.State == Watching && open && mine.quiescent(other, s, x, y) {
			mine.join(other, s, x, y)
			c.State = Spliced
			done = true
		}
		c.lock.Unlock()
	}
	to.Release()
	from.Release()
	return done
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
// is held, so that whatever has passed the programs before and is not in the
// sockets yet shows as a Next beyond what the socket has received.
func (d *Side) quiescent(other *Side, s *segment, x, y *bpf.TCPSock) bool {
	return s.seq == x.RcvNxt && (d.Known&knownFrom == 0 || d.Next == x.RcvNxt) && other.Next == y.RcvNxt &&
		s.ack == x.SndNxt && y.SndUna == y.SndNxt &&
		uint32(x.BytesReceived)-uint32(y.BytesAcked) == d.Lead &&
		uint32(y.BytesReceived)-uint32(x.BytesAcked)-(s.ack-x.SndUna) == other.Lead
}

// join works out what makes packets of either side into packets of the other:
// what the forwarder would send next takes the place of what it has received.
// Time stamps go on from the last one that was sent.
func (d *Side) join(other *Side, s *segment, x, y *bpf.TCPSock) {
	d.Seq = y.SndNxt - x.RcvNxt
	other.Seq = x.SndNxt - y.RcvNxt
	d.Ack, other.Ack = -other.Seq, -d.Seq
	d.Stamp = other.StampTo - s.stamp
	other.Stamp = d.StampTo - other.StampFrom
	d.Echo, other.Echo = -other.Stamp, -d.Stamp
}
