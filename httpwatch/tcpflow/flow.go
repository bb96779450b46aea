package tcpflow

// Segment is a piece of the stream.
type Segment struct {
	Seq  uint32 // sequence number of the first byte
	Data []byte // valid during Add only
	Time uint64 // when it was seen, in nanoseconds of any clock
	// Start says that Data begins a segment as its sender made it, which often
	// is where a message starts.
	Start bool
	// Lost says that an earlier piece is known to be lost, so that it is no use
	// to wait for what is missing before this one.
	Lost bool
}

// end returns the sequence number after the last byte.
func (s *Segment) end() uint32 { return s.Seq + uint32(len(s.Data)) }

// Consumer takes the stream.
type Consumer interface {
	// Data takes the bytes that come next. Start says that they begin a
	// segment. The result is how many of the bytes after them do not matter.
	// Data must not keep s.Data.
	Data(s Segment) (skip uint64)
	// Gap says that n bytes are missing before the next Data.
	Gap(n uint32)
}

// Flow orders one direction of a connection. Its zero value is not in use until
// Begin.
type Flow struct {
	next uint32 // the next byte to hand over
	skip uint64 // bytes from next on that do not matter
	held *held  // segments beyond next, by sequence number; they may overlap
	size int    // memory of the held segments in bytes
	pool *Pool
}

// maxJump is how far next moves ahead of the segments at once while skipping. It
// has to stay well below the half of the sequence space, where ahead turns into
// behind.
const maxJump = 1 << 30

// Begin makes seq the first byte of the stream. What the flow held is dropped.
func (f *Flow) Begin(seq uint32, pool *Pool) {
	f.drop()
	*f = Flow{next: seq, pool: pool}
}

// End gives the flow's memory back. What it held is dropped.
func (f *Flow) End() { f.drop() }

// Next returns the sequence number of the next byte that matters.
func (f *Flow) Next() uint32 { return f.next }

// Ahead returns how many bytes s is ahead of the next byte that matters;
// negative if it is behind.
func (f *Flow) Ahead(seq uint32) int32 { return int32(seq - f.next) }

// Waiting reports whether segments are held because of a gap, and the time of
// the first of them.
func (f *Flow) Waiting() (since uint64, ok bool) {
	if f.held == nil {
		return 0, false
	}
	since = f.held.Time
	for h := f.held.next; h != nil; h = h.next {
		since = min(since, h.Time)
	}
	return since, true
}

// Add takes a segment and hands over what has come into order by it. It reports
// whether any byte of s was new.
func (f *Flow) Add(s Segment, c Consumer) (fresh bool) {
	f.skipTo(s.Seq)
	if len(s.Data) == 0 || f.Ahead(s.end()) <= 0 {
		return false
	}
	if s.Lost {
		f.abandonUntil(s.Seq, c)
	}
	if f.Ahead(s.Seq) <= 0 {
		f.deliver(s, c)
		f.drain(c)
		return true
	}
	fresh = f.hold(s)
	for f.size > f.pool.FlowLimit || f.pool.used > f.pool.Limit {
		if !f.Abandon(c) {
			break
		}
	}
	return fresh
}

// Abandon gives up the gap that the flow waits for, if any, and hands over what
// lies behind it. It reports whether there was one.
func (f *Flow) Abandon(c Consumer) bool {
	if f.held == nil {
		return false
	}
	f.jump(f.held.Seq, c)
	f.drain(c)
	return true
}

// abandonUntil gives up every gap before seq.
func (f *Flow) abandonUntil(seq uint32, c Consumer) {
	for f.held != nil && int32(f.held.Seq-seq) < 0 {
		f.Abandon(c)
	}
	f.jump(seq, c)
}

// jump goes on at seq without the bytes before it, if it is ahead.
func (f *Flow) jump(seq uint32, c Consumer) {
	f.skipTo(seq)
	if n := f.Ahead(seq); n > 0 {
		f.next = seq
		c.Gap(uint32(n))
	}
}

// skipTo goes as far towards seq as the bytes before it do not matter.
func (f *Flow) skipTo(seq uint32) {
	if n := f.Ahead(seq); n > 0 && f.skip > 0 {
		n := min(uint64(n), f.skip)
		f.next, f.skip = f.next+uint32(n), f.skip-n
	}
}

// deliver hands over what is new in s, which starts at or before next.
func (f *Flow) deliver(s Segment, c Consumer) {
	known := -f.Ahead(s.Seq)
	if int(known) >= len(s.Data) {
		return
	}
	cut := uint64(known)
	if f.skip > 0 { // at most as much as there is
		n := min(f.skip, uint64(len(s.Data))-cut)
		f.skip -= n
		cut += n
	}
	f.next = s.end()
	if rest := s.Data[cut:]; len(rest) > 0 {
		s.Seq, s.Data, s.Start = s.Seq+uint32(cut), rest, s.Start && cut == 0
		f.skip = c.Data(s)
	}
	// Going ahead right away makes the bytes to skip old ones, whether they
	// come or not.
	n := min(f.skip, maxJump)
	f.next, f.skip = f.next+uint32(n), f.skip-n
}

// drain hands over the held segments that have come into order.
func (f *Flow) drain(c Consumer) {
	for f.held != nil {
		f.skipTo(f.held.Seq)
		if f.Ahead(f.held.Seq) > 0 {
			return
		}
		h := f.take()
		f.deliver(h.Segment, c)
		f.pool.put(h)
	}
}
