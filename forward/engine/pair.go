package engine

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Direction is one of the two streams of a pair.
type Direction int

// The two directions.
const (
	Up   Direction = iota // from the client to the backend
	Down                  // from the backend to the client
)

// Other returns the opposite direction.
func (d Direction) Other() Direction { return 1 - d }

func (d Direction) String() string { return [...]string{"up", "down"}[d] }

// Pair is a routed connection: two established TCP connections whose streams belong
// together. What was read of the client to route it has been written to the backend
// (behind a PROXY header, if it gets one) before an engine sees the pair.
type Pair struct {
	Client, Backend *net.TCPConn // nil if the pair was adopted

	// Taken is how many bytes were read from the client, Given how many were
	// written to the backend, before Forward was called.
	Taken, Given uint64

	// Note, if not nil, is asked for what the process is to know that adopts the
	// pair, if the engine is an Adopter and this process comes to its end before
	// the pair. No more than MaxNote bytes of it are kept.
	Note func() []byte

	meter    atomic.Pointer[Meter]
	own      Counters
	state    atomic.Pointer[State]
	outlives atomic.Bool
	ended    [2]atomic.Bool
	first    atomic.Int32 // 1 + the direction that ended first
	aborted  atomic.Pointer[Cause]

	mu      sync.Mutex
	onAbort func() // what an engine wants to be told with
}

// NewPair returns a pair of two connections.
func NewPair(client, backend *net.TCPConn) *Pair { return &Pair{Client: client, Backend: backend} }

// State is what moves a pair's bytes, and why it is that.
type State struct {
	Engine string
	Why    string
}

// SetState records what moves the bytes from now on.
func (p *Pair) SetState(engine, why string) { p.state.Store(&State{engine, why}) }

// State returns what was last recorded.
func (p *Pair) State() State {
	if s := p.state.Load(); s != nil {
		return *s
	}
	return State{}
}

// SetOutlives records that the pair needs nothing of this process any more, and goes on
// when that ends.
func (p *Pair) SetOutlives() { p.outlives.Store(true) }

// Outlives reports whether the pair goes on when this process ends.
func (p *Pair) Outlives() bool { return p.outlives.Load() }

// Meter tells how many bytes were moved.
type Meter interface {
	Moved(Direction) uint64
}

// EndMeter is a Meter that also tells which directions have ended, of engines that
// are not there when it happens.
type EndMeter interface {
	Meter
	Ended(Direction) bool
}

// Counters is the meter of engines that count in user space.
type Counters [2]atomic.Uint64

// Moved returns the bytes moved in a direction.
func (c *Counters) Moved(d Direction) uint64 { return c[d].Load() }

// Count adds to the pair's own counters, which are its meter unless it has another.
func (p *Pair) Count(d Direction, n int) { p.own[d].Add(uint64(n)) }

// Counter returns the pair's own counter of a direction.
func (p *Pair) Counter(d Direction) *atomic.Uint64 { return &p.own[d] }

// SetMeter makes m tell what was moved: all of it, from the start.
func (p *Pair) SetMeter(m Meter) { p.meter.Store(&m) }

// Moved returns the bytes moved in a direction since Forward was called.
func (p *Pair) Moved(d Direction) uint64 {
	if m := p.meter.Load(); m != nil {
		return (*m).Moved(d)
	}
	return p.own.Moved(d)
}

// Source returns the connection that a direction reads from.
func (p *Pair) Source(d Direction) *net.TCPConn {
	if d == Up {
		return p.Client
	}
	return p.Backend
}

// Sink returns the connection that a direction writes to.
func (p *Pair) Sink(d Direction) *net.TCPConn { return p.Source(d.Other()) }

// MarkEnded records that a direction has ended. It is called before the end is passed
// on, because what the other side does then has to come second.
func (p *Pair) MarkEnded(d Direction) {
	p.first.CompareAndSwap(0, int32(d)+1)
	p.ended[d].Store(true)
}

// Ended reports whether a direction has ended.
func (p *Pair) Ended(d Direction) bool {
	if p.ended[d].Load() {
		return true
	}
	if m := p.meter.Load(); m != nil {
		if m, ok := (*m).(EndMeter); ok {
			return m.Ended(d)
		}
	}
	return false
}

// Closed returns the end of a pair both of whose directions have ended.
func (p *Pair) Closed() End {
	if p.first.Load() == int32(Down)+1 {
		return End{Cause: BackendClosed}
	}
	return End{Cause: ClientClosed}
}

// Abort makes Forward return soon, with that cause. The first call counts.
func (p *Pair) Abort(c Cause) {
	if !p.aborted.CompareAndSwap(nil, &c) {
		return
	}
	p.Wake()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.onAbort != nil {
		p.onAbort()
	}
}

// Aborted returns the cause that Abort was called with, "" if it was not.
func (p *Pair) Aborted() Cause {
	if c := p.aborted.Load(); c != nil {
		return *c
	}
	return ""
}

// OnAbort calls f when the pair is aborted, at once if it has been. An engine that
// waits for something else than the two connections uses it.
func (p *Pair) OnAbort(f func()) {
	p.mu.Lock()
	p.onAbort = f
	p.mu.Unlock()
	if p.Aborted() != "" {
		f()
	}
}

// Wake makes everything that waits for the two connections return with
// os.ErrDeadlineExceeded.
func (p *Pair) Wake() {
	past := time.Unix(1, 0)
	for _, c := range [...]*net.TCPConn{p.Client, p.Backend} {
		if c != nil {
			_ = c.SetDeadline(past)
		}
	}
}

// Reset makes both connections end with RST instead of FIN when they are closed,
// for a stream that could not be passed on whole.
func (p *Pair) Reset() {
	for _, c := range [...]*net.TCPConn{p.Client, p.Backend} {
		if c != nil {
			_ = c.SetLinger(0)
		}
	}
}
