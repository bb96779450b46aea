package httpwatch

import (
	"github.com/waggle-bpf/waggle/httpwatch/httpstream"
	"github.com/waggle-bpf/waggle/httpwatch/kern"
	"github.com/waggle-bpf/waggle/httpwatch/tcpflow"
)

// conn follows what one client sends on one connection.
type conn struct {
	w            *watcher
	key          kern.Flow
	newer, older *conn // in the table's order of use; older also links free ones

	flow   tcpflow.Flow
	parser httpstream.Parser
	born   uint32 // identifies the connection, see kern.Header
	until  uint32 // what the kernel half has been told to skip to
	began  uint64 // when the request being parsed was first seen
	mode   mode
	// switching says that the last request asked for another protocol.
	switching bool
	// counted says that the connection has had a request.
	counted bool
	waiting bool  // listed as waiting for a gap to be filled
	misses  uint8 // how often scanning took something for a request that wasn't
	useless int   // bytes received in vain while scanning
}

// mode is what is known about a connection.
type mode uint8

const (
	// fresh: followed from its first byte, and no request has come yet.
	fresh mode = iota
	// scanning: in the midst of it; a request may start with any segment.
	scanning
	// trying: this may be a request.
	trying
	// parsing: where we are is known.
	parsing
	// opaque: it is not HTTP, or not any more.
	opaque
)

// maxMisses is how often in a row scanning may be wrong about a connection before
// that is taken for something else.
const maxMisses = 8

// begin makes c follow the connection that h belongs to.
func (c *conn) begin(h *kern.Header) {
	seq, m := h.Seq, scanning
	if h.Flags&kern.FromStart != 0 && h.Seq-h.Born < kern.Window {
		seq, m = h.Born, fresh
	}
	c.flow.Begin(seq, &c.w.pool)
	c.parser.Reset()
	c.born, c.until, c.mode = h.Born, seq, m
	c.switching, c.counted, c.misses, c.useless = false, false, 0, 0
}

// end hands over what is still held, for nothing more will come.
func (c *conn) end() {
	for c.flow.Abandon(c) {
	}
	c.flow.End()
}

// Data implements tcpflow.Consumer.
func (c *conn) Data(s tcpflow.Segment) (skip uint64) {
	switch {
	case c.mode == opaque, c.mode == scanning && !c.tryHere(s):
		return 0
	case c.mode == trying && s.Start && c.parser.InStartLine() && httpstream.StartsRequest(s.Data):
		c.parser.Reset() // it was something else
	}
	for b := s.Data; len(b) > 0; {
		if c.parser.Idle() {
			c.began = s.Time
		}
		n, event := c.parser.Next(b)
		b = b[n:]
		switch event {
		case httpstream.Head:
			c.head()
		case httpstream.Broken:
			c.broken()
			return 0
		}
	}
	return c.parser.TakeSkip()
}

// tryHere starts to parse if s looks like the start of a request.
func (c *conn) tryHere(s tcpflow.Segment) bool {
	if !s.Start || !httpstream.LooksLikeRequest(s.Data) {
		c.wasted(len(s.Data))
		return false
	}
	c.parser.Reset()
	c.mode = trying
	return true
}

// wasted asks the kernel half to look for the next request itself, once it has sent
// much in vain. Not earlier: by the time it hears of it, we may have found one.
func (c *conn) wasted(n int) {
	before := c.useless
	c.useless += n
	if before < worthScanning && c.useless >= worthScanning {
		c.w.verdict(c, kern.Verdict{Kind: kern.Scan, Born: c.born})
	}
}

const worthScanning = 64 << 10 // bytes

// head takes note of a request.
func (c *conn) head() {
	r := c.parser.Request()
	c.mode, c.switching, c.misses, c.useless = parsing, r.Switches, 0, 0
	c.report(r)
}

// report gives a request to the sink.
func (c *conn) report(r *httpstream.Request) {
	if !c.counted {
		c.counted = true
		c.w.summary.Connections++
	}
	c.w.report(c, r)
}

// broken decides what a connection is whose bytes are not HTTP.
func (c *conn) broken() {
	switch {
	case c.mode == fresh, c.switching:
		c.ignore()
	case c.misses >= maxMisses:
		c.ignore()
	default:
		c.misses++
		c.mode = scanning
	}
}

// ignore gives the connection up for good.
func (c *conn) ignore() {
	c.mode = opaque
	c.w.verdict(c, kern.Verdict{Kind: kern.Ignore, Born: c.born})
}

// Gap implements tcpflow.Consumer.
func (c *conn) Gap(n uint32) {
	if c.mode == opaque || c.mode == scanning {
		return // nothing is missed
	}
	c.w.summary.Lost.Gaps++
	c.w.summary.Lost.GapBytes += uint64(n)
	c.salvage()
	c.mode = scanning
}

// salvage reports a request whose start line is known but whose head will never be
// complete, for want of data that we lost.
func (c *conn) salvage() {
	if r := c.parser.Partial(); r != nil {
		c.report(r)
	}
}

// skipped tells the kernel half not to send a long body. end is the sequence number
// after the last byte that was seen.
func (c *conn) skipped(end uint32) {
	next := c.flow.Next()
	if ahead := int32(next - end); ahead < worthSkipping || next == c.until {
		return
	}
	c.until = next
	c.w.verdict(c, kern.Verdict{Kind: kern.Skip, Born: c.born, Until: next})
}

// worthSkipping is the length in bytes from which on telling the kernel half costs
// less than being sent the bytes.
const worthSkipping = 32 << 10

// unfinished reports whether forgetting the connection would lose anything.
func (c *conn) unfinished() bool {
	if c.mode == opaque || c.mode == scanning {
		return false
	}
	_, held := c.flow.Waiting()
	return held || !c.parser.Idle()
}
