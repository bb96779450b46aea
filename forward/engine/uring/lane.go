package uring

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/pump"
	"github.com/waggle-bpf/waggle/forward/rawio"
)

// A lane receives in one of two ways. At first a request stays in the ring and
// completes whenever something comes, into small buffers. When one comes that is full,
// there may be much more, so a request is posted each time that the lane has sent
// everything, for one large buffer; until what comes is small again.
const (
	smallBuffer = 8 << 10
	largeBuffer = 64 << 10
)

// highWater is how many small buffers a lane holds when it stops receiving. The
// kernel may use more before it hears of that: 32 at a time since Linux 6.8, before
// that as many as it finds something for.
const highWater = 2

// lane is one direction of a pair.
type lane struct {
	pair         *pair
	d            engine.Direction
	source, sink int     // sockets
	held         []chunk // to be sent, in this order

	receiving, sending state
	pool               *buffers // for what is being received
	bulk               bool     // the next buffer is to be a large one
	ended              bool     // its source's stream has
	over               bool     // it has nothing more to do
}

// chunk is what is left of a buffer's content.
type chunk struct {
	pool       *buffers
	id         uint16
	start, end int
}

// state is that of a lane's request to the ring.
type state int

const (
	none state = iota
	posted
	revoked // posted, and it is to be cancelled
)

// proceed does what is to be done next.
func (l *lane) proceed() {
	if l.over || l.pair.stopping {
		l.revoke(receives, &l.receiving)
		l.revoke(sends, &l.sending)
		return
	}
	if multishot := l.pool == &l.pair.shard.small; multishot && (l.bulk || len(l.held) >= highWater) {
		l.revoke(receives, &l.receiving)
	}
	switch {
	case len(l.held) > 0:
		l.send()
	case l.ended:
		l.passEnd()
	default:
		l.receive()
	}
}

// receive asks for what comes.
func (l *lane) receive() {
	if l.receiving != none {
		return
	}
	shard := l.pair.shard
	l.pool = &shard.small
	if l.bulk {
		l.pool = &shard.large
		if err := shard.large.reserve(); err != nil {
			l.sourceBroke(err)
			return
		}
	}
	r := l.request(receives)
	r.op, r.fd, r.flags, r.bufferGroup = opRecv, int32(l.source), sqeBufferSelect, l.pool.group
	if !l.bulk {
		r.ioprio = recvMultishot
	}
	l.receiving = posted
}

// send sends what has come first.
func (l *lane) send() {
	if l.sending != none {
		return
	}
	c := &l.held[0]
	data := c.pool.bytes(c.id)[c.start:c.end]
	r := l.request(sends)
	r.op, r.fd, r.opFlags = opSend, int32(l.sink), unix.MSG_NOSIGNAL
	r.addr, r.len = address(data), uint32(len(data))
	l.sending = posted
}

// revoke cancels a request that was posted. It completes all the same.
func (l *lane) revoke(k kind, s *state) {
	if *s != posted {
		return
	}
	r := l.request(cancels)
	r.op, r.fd, r.addr = opAsyncCancel, -1, l.label(k)
	*s = revoked
}

func (l *lane) request(k kind) *sqe {
	r := l.pair.shard.ring.request()
	r.userData = l.label(k)
	l.pair.pending++
	return r
}

// received handles a completion of receive's request, which may not be the last.
func (l *lane) received(c *cqe) {
	pool := l.pool
	if c.flags&cqeMore == 0 {
		l.receiving = none
	}
	if c.flags&cqeBuffer != 0 {
		pool.free--
		l.keep(chunk{pool, uint16(c.flags >> cqeBufferShift), 0, int(max(c.res, 0))})
	}
	large := pool == &l.pair.shard.large
	if large {
		pool.reserved--
	}
	switch err := unix.Errno(-c.res); {
	case c.res > 0 && large:
		l.bulk = c.res > smallBuffer
	case c.res > 0:
		l.bulk = l.bulk || c.res == smallBuffer
	case c.res == 0:
		l.ended = true
	case err == unix.ENOBUFS:
		// Of large buffers there are always enough.
		l.bulk = pool.grow() != nil
	case !passing(err):
		l.sourceBroke(err)
	}
}

// keep holds what has been received, if it is of any use.
func (l *lane) keep(c chunk) {
	if c.end == 0 || l.over {
		c.pool.put(c.id)
		return
	}
	l.held = append(l.held, c)
}

// sent handles the completion of send's request.
func (l *lane) sent(res int32) {
	l.sending = none
	if res < 0 {
		if err := unix.Errno(-res); !passing(err) {
			l.sinkBroke(err)
		}
		return
	}
	l.pair.conn.Count(l.d, int(res))
	c := &l.held[0]
	if c.start += int(res); c.start == c.end {
		c.pool.put(c.id)
		l.held = append(l.held[:0], l.held[1:]...)
	}
}

// passing tells whether a request can be posted again after an error.
func passing(err unix.Errno) bool {
	return err == unix.ECANCELED || err == unix.EINTR || err == unix.EAGAIN
}

// passEnd passes an end of stream on.
func (l *lane) passEnd() {
	p := l.pair
	if p.broken != nil || l.errorTaken() {
		l.sourceBroke(unix.ECONNRESET)
		return
	}
	l.over = true
	p.conn.MarkEnded(l.d)
	if err := unix.Shutdown(l.sink, unix.SHUT_WR); err != nil {
		l.sinkBroke(err)
	}
}

// errorTaken tells whether the source was reset and the other lane's request, which
// sends to it, is about to be told so: a socket reports its error once, and after that
// reads as if the stream had ended. A socket also is closed when both directions have
// ended, which is marked before it is done.
func (l *lane) errorTaken() bool {
	other := &l.pair.lanes[l.d.Other()]
	return other.sending != none && rawio.Closed(l.source) && !l.pair.conn.Ended(other.d)
}

// sourceBroke ends the pair: what the source can't send any more, nobody can.
func (l *lane) sourceBroke(err error) {
	l.over = true
	l.pair.breaks(pump.Blame(err, l.d), fmt.Errorf("read from %s: %w", side[l.d], err))
	l.pair.stopping = true
}

// sinkBroke ends this direction. What the sink has sent before it broke is still in
// its socket: the other lane passes it on and then meets the end of that socket.
func (l *lane) sinkBroke(err error) {
	l.over = true
	l.drop()
	cause := pump.Blame(err, l.d.Other())
	l.pair.breaks(cause, fmt.Errorf("write to %s: %w", side[l.d.Other()], err))
	if cause == engine.Failed {
		l.pair.stopping = true
	}
}

// side names what a direction reads from.
var side = [2]string{engine.Up: "client", engine.Down: "backend"}

// drop gives up what the lane holds. No request must use it.
func (l *lane) drop() {
	for _, c := range l.held {
		c.pool.put(c.id)
	}
	l.held = nil
}
