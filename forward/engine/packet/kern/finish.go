package kern

import "github.com/waggle-bpf/waggle/bpf/packet"

// ending notes that a side ends its direction, or everything: then it reports whether
// that is news.
func (c *Conn) ending(m *Meter, side uint32, s *segment) bool {
	if s.has(packet.RST) {
		// Who has closed answers with RST to what comes late, and so does who has
		// been reset: that tells nothing.
		if c.State == Ended || m.Reset != 0 || !c.believed(side, s) {
			return false
		}
		m.Reset = 1 + side
		return true
	}
	if m.FirstFin == 0 {
		m.FirstFin = 1 + side
	}
	m.Fins[side&1] = 1
	d := &c.Sides[side&1]
	c.lock.Lock()
	if d.Fin == finNone {
		d.Fin, d.FinSeq = finSent, s.seq+s.size
	}
	c.lock.Unlock()
	return false
}

// believed reports whether the receiver can believe a RST (RFC 5961 3): it has to
// carry the number that the receiver expects next, which lies between what that has
// acknowledged and what has passed. What it does believe shows in what follows.
func (c *Conn) believed(side uint32, s *segment) bool {
	d, other := &c.Sides[side&1], &c.Sides[side&1^1]
	c.lock.Lock()
	first, last := other.Acked-d.Seq, d.Next
	if d.Fin != finNone {
		last = d.FinSeq + 1
	}
	c.lock.Unlock()
	return !after(first, s.seq) && !after(s.seq, last)
}

// acknowledge notes whether a segment from one side acknowledges the other one's
// FIN, and reports whether now both are.
func (c *Conn) acknowledge(side uint32, s *segment) bool {
	mine, other := &c.Sides[side&1], &c.Sides[side&1^1]
	if other.Fin != finSent {
		return false
	}
	over := false
	c.lock.Lock()
	if other.Fin == finSent && after(s.ack+mine.Ack, other.FinSeq) {
		other.Fin = finAcked
		over = mine.Fin == finAcked && c.State == Spliced
		if over {
			c.State = Ended
		}
	}
	c.lock.Unlock()
	return over
}

// reused reports whether segment s opens a new connection in place of one that has
// ended or was reset: then the pair is over for good.
func (c *Conn) reused(m *Meter, s *segment) bool {
	if !s.has(packet.SYN) || c.State != Ended && m.Reset == 0 {
		return false
	}
	c.State = Unused
	return true
}

// doubt deals with a SYN from a side of a pair that seems to be alive. It must not be
// passed on: where nobody has the connection any more it would open another one, which no
// forwarder has accepted. It becomes a segment that is behind the times instead. Who still has the connection
// answers it with an acknowledgement, which makes a peer who has forgotten it send a RST;
// who doesn't answers with a RST himself (RFC 9293 3.5.2 and 3.10.7.4). The peer's next
// SYN then finds the pair reset.
func (c *Conn) doubt(side uint32, s *segment) {
	d := &c.Sides[side&1]
	c.lock.Lock()
	s.seq, s.ack = d.Next-1, d.Acked
	c.lock.Unlock()
	s.flags = packet.ACK
}
