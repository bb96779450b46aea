package httpwatch

import (
	"time"

	"github.com/waggle-bpf/waggle/httpwatch/httpstream"
	"github.com/waggle-bpf/waggle/httpwatch/kern"
	"github.com/waggle-bpf/waggle/httpwatch/tcpflow"
)

// verdicts carries what user space has found out to the kernel half.
type verdicts interface {
	Put(kern.Flow, kern.Verdict) error
}

// watcher turns the records of the kernel half into requests. It is used by one
// goroutine. Once its tables have grown, it does not allocate.
type watcher struct {
	sink     Sink
	verdicts verdicts
	boot     time.Time // when the records' clock was zero
	table    table
	pool     tcpflow.Pool
	waiting  []*conn // flows that may wait for a gap to be filled
	request  Request // the one given to the sink
	summary  Summary
	err      error // the sink's first error
}

// maxHeld is the memory for data from beyond gaps, of all connections together.
const maxHeld = 64 << 20

// gapAge is how long, in nanoseconds, to wait for a gap to be filled. A sender
// repeats what was lost on its way after a round trip or 200 ms.
const gapAge = uint64(time.Second)

func newWatcher(sink Sink, v verdicts, maxConns int) *watcher {
	return &watcher{
		sink:     sink,
		verdicts: v,
		table:    newTable(maxConns),
		pool:     tcpflow.Pool{FlowLimit: kern.Window, Limit: maxHeld},
	}
}

// record takes one record of the kernel half. data is valid during the call.
func (w *watcher) record(h *kern.Header, data []byte) {
	if h.Flags&kern.Switched != 0 {
		w.switched(&h.Flow)
		return
	}
	c := w.conn(h)
	fresh := c.flow.Add(tcpflow.Segment{
		Seq:   h.Seq,
		Data:  data,
		Time:  h.Time,
		Start: h.Flags&kern.SegmentStart != 0,
		Lost:  h.Flags&kern.Gap != 0,
	}, c)
	if !fresh {
		return
	}
	c.skipped(h.Seq + h.Len)
	if !c.waiting {
		if _, c.waiting = c.flow.Waiting(); c.waiting {
			w.waiting = append(w.waiting, c)
		}
	}
}

// conn returns the connection that a record belongs to.
func (w *watcher) conn(h *kern.Header) *conn {
	c := w.table.get(&h.Flow)
	switch {
	case c == nil:
		c = w.table.add(&h.Flow, w.evict)
		c.w = w
	case c.born == h.Born:
		return c
	case h.Flags&kern.FromStart == 0 && near(c.flow.Ahead(h.Seq)):
		// The kernel half had to forget the flow and has found it again.
		c.born = h.Born
		return c
	default:
		c.end()
	}
	c.begin(h)
	return c
}

// near reports whether a sequence number that is so far ahead can belong to the
// same connection.
func near(ahead int32) bool { return -kern.Window < ahead && ahead < kern.Window }

// evict gives up a connection for want of room.
func (w *watcher) evict(c *conn) {
	if c.unfinished() {
		w.summary.Lost.Evicted++
		c.end()
		c.salvage()
	}
}

// switched notes that the server has agreed to speak another protocol.
func (w *watcher) switched(key *kern.Flow) {
	if c := w.table.get(key); c != nil && c.switching && c.mode == parsing {
		c.ignore()
	}
}

// verdict tells the kernel half about a connection. If that can't be done, it only
// sends more than necessary.
func (w *watcher) verdict(c *conn, v kern.Verdict) {
	if err := w.verdicts.Put(c.key, v); err != nil {
		w.summary.VerdictErrors++
	}
}

// report gives a request of c to the sink.
func (w *watcher) report(c *conn, r *httpstream.Request) {
	w.summary.Requests++
	q := &w.request
	q.Time = w.boot.Add(time.Duration(c.began))
	q.Src, q.Dst = ends(&c.key)
	q.Method, q.Target, q.Host = r.Method, r.Target, r.Host
	q.Proto = protos[r.Minor]
	if err := w.sink.Request(q); err != nil && w.err == nil {
		w.err = err
	}
}

// finish reports what waits for data that will not come.
func (w *watcher) finish() {
	for _, c := range w.waiting {
		c.end()
	}
	w.waiting = nil
}

// tick is to be called now and then: it ends the wait for data that won't come.
// now is the time by the records' clock.
func (w *watcher) tick(now uint64) {
	still := w.waiting[:0]
	for _, c := range w.waiting {
		if since, held := c.flow.Waiting(); held && since+gapAge < now {
			c.end()
		}
		if _, c.waiting = c.flow.Waiting(); c.waiting {
			still = append(still, c)
		}
	}
	clear(w.waiting[len(still):])
	w.waiting = still
}
