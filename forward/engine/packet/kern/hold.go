package kern

// Attempts to hold a sender: for holdFor ns out of every holdEvery ns after the
// pair was linked. A sender that can be held has filled its window within a round
// trip, and the bytes are through the forwarder within another one; the rest of the
// time is for those whose receivers are slow. Who has not been caught after holdTries is
// let alone: what stands in the way will not go away, and a pause of his own will do.
const (
	holdFor   = 1_000_000_000
	holdEvery = 8_000_000_000
	holdTries = 8
)

// holding reports whether it is time to hold the pair's senders.
func (c *Conn) holding(now uint64) bool {
	age := now - c.Since
	return age < holdTries*holdEvery && age%holdEvery < holdFor
}

// held returns the window of a segment to the peer that leaves the right edge where
// it is: as much as is left of what was advertised before (RFC 9293 3.8.6 forbids
// taking that back), and never more than the segment says.
func (d *Side) held(s *segment) uint16 {
	left := d.Edge - s.ack
	if after(s.ack, d.Edge) {
		left = 0
	}
	return uint16(min(left>>(d.OwnScale&15), uint32(s.window)))
}
