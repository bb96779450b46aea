package packet

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
)

// bulk is how many bytes in a direction make a pair worth linking before it has
// taken turns: linking costs some ten system calls.
const bulk = 64 << 10

// watch follows a pair that the mover carries, and links it when it seems to last.
type watch struct {
	engine *Engine
	conn   *engine.Pair
	first  atomic.Int64 // when the first byte came, on the monotonic clock

	mu   sync.Mutex
	done bool // linked, or never to be
	pair *pair
}

// onFill decides whether it is time to link: when the client speaks for the second
// time, or much was said. That is before what it says goes on to the backend, so
// that the programs see it and what follows from it.
func (w *watch) onFill(d engine.Direction, total uint64) {
	if total == 0 {
		w.first.CompareAndSwap(0, int64(monotonic()))
	}
	again := d == engine.Up && (total > 0 || w.conn.Taken > 0)
	if again || total >= bulk {
		w.link()
	}
}

func (w *watch) link() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return
	}
	w.done = true
	p, err := w.engine.link(w.conn, time.Duration(w.first.Load()))
	if err != nil {
		w.conn.SetState(w.engine.mover.Name(), err.Error())
		return
	}
	w.pair = p
	w.conn.SetState(w.engine.mover.Name(), "waiting for a quiet moment")
}

// stop ends the watching and returns the pair if it was linked.
func (w *watch) stop() *pair {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
	return w.pair
}

// pair is a pair that the programs know.
type pair struct {
	engine *Engine
	slot   uint32
	meter  *kern.Meter
	tuples tuples
	// When the first byte came and when the pair was linked, on the monotonic clock.
	first, linked time.Duration

	// conn is nil if the pair was adopted and nobody has asked for it; the engine's
	// mutex guards it then. reserved is for those that were adopted only.
	conn     *engine.Pair
	adopted  bool
	note     []byte // of those, too
	reserved *reservation
	over     chan struct{} // closed when the pair is

	seen     atomic.Bool // that it was spliced
	ending   atomic.Bool // that it has ended or was reset
	settling atomic.Bool // somebody will look again

	before  sync.Mutex // of the meter's Before, in this process
	settled bool       // the mover has ended: Before is final, and guarded by before

	leave time.Time // when to remove the entries, once it lingers
}

// link makes the programs watch a pair, whose first byte came at a certain time.
func (e *Engine) link(p *engine.Pair, first time.Duration) (*pair, error) {
	pr := &pair{engine: e, conn: p, tuples: tuplesOf(p), first: first, linked: monotonic(), over: make(chan struct{})}
	c, refusal := watched(p, pr.tuples, uint64(pr.linked))
	if refusal != nil {
		e.stay(refusal.Reason)
		return nil, refusal
	}
	slot, ok := e.slots.take()
	if !ok {
		const full = "table of pairs full"
		e.stay(full)
		return nil, errors.New(full)
	}
	pr.slot, pr.meter = slot, e.slots.meter(slot)
	pr.meter.State = kern.Watching
	e.know(pr) // before the programs do, which may tell of it at once
	if err := e.kernel.enter(slot, c); err != nil {
		e.forget(pr)
		e.slots.give(slot)
		e.stay("maps refuse the pair")
		return nil, err
	}
	e.counters.linked.Add(1)
	return pr, nil
}

// know enters a pair.
func (e *Engine) know(p *pair) {
	e.mu.Lock()
	e.pairs[p.slot] = p
	e.mu.Unlock()
}

// forget takes out a pair that won't linger.
func (e *Engine) forget(p *pair) {
	e.mu.Lock()
	delete(e.pairs, p.slot)
	e.mu.Unlock()
}

// knows reports whether the slot is still that pair's.
func (e *Engine) knows(p *pair) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pairs[p.slot] == p
}

// unlink makes the programs forget a pair.
func (e *Engine) unlink(p *pair) {
	e.forget(p)
	e.remove(p)
}

// remove deletes a pair's entries and frees its slot.
func (e *Engine) remove(p *pair) {
	p.reserved.close()
	e.kernel.leave(p.slot, p.tuples)
	e.slots.give(p.slot)
}

// state is how far the programs are with the pair.
func (p *pair) state() kern.State {
	return kern.State(atomic.LoadUint32((*uint32)(&p.meter.State)))
}

func (p *pair) spliced() bool { return p.state() >= kern.Spliced }

// Moved returns what was moved by both halves.
func (p *pair) Moved(d engine.Direction) uint64 {
	n := atomic.LoadUint64(&p.meter.Bytes[d]) // directions have the numbers of the sides they come from
	if p.conn != nil {
		n += p.conn.Counter(d).Load()
	}
	return n
}

// Ended reports whether a direction has ended since the pair was spliced.
func (p *pair) Ended(d engine.Direction) bool { return atomic.LoadUint32(&p.meter.Fins[d]) != 0 }

// settle is how long after a RST a pair must have been silent to be believed over:
// a RST that the receiver did not accept is followed by packets.
const settle = 500 * time.Millisecond

// look sees what has become of the pair, and reports whether that is news.
func (p *pair) look() (news bool) {
	state := p.state()
	if state < kern.Spliced || !p.engine.knows(p) {
		return false
	}
	if p.seen.CompareAndSwap(false, true) {
		p.nowSpliced()
		news = true
	}
	reset := state == kern.Spliced && atomic.LoadUint32(&p.meter.Reset) != 0
	if (reset || state == kern.Ended) && p.ending.CompareAndSwap(false, true) {
		news = true
	}
	switch {
	case state == kern.Ended:
		p.end()
	case reset:
		p.lookAgain()
	}
	return news
}

// lookAgain ends a pair that was reset when it has settled.
func (p *pair) lookAgain() {
	silent := monotonic() - time.Duration(atomic.LoadUint64(&p.meter.Last))
	if silent >= settle {
		p.end()
	} else if p.settling.CompareAndSwap(false, true) {
		time.AfterFunc(settle-silent, func() {
			p.settling.Store(false)
			p.look()
		})
	}
}

// end ends the waiting for the pair's end. An adopted one that nobody waits for goes.
func (p *pair) end() {
	e := p.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.isOver() {
		return
	}
	close(p.over)
	if p.conn == nil {
		p.how()
		e.orphans = slices.DeleteFunc(e.orphans, func(o *pair) bool { return o == p })
		e.lingerLocked(p)
	}
}

func (p *pair) isOver() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// nowSpliced takes the pair from the mover.
func (p *pair) nowSpliced() {
	took := time.Duration(p.meter.Switched) - p.linked
	p.engine.counters.switchedAfter(took)
	if told := p.engine.opts.Switched; told != nil {
		told(time.Duration(p.meter.Switched) - p.first)
	}
	p.remember(false) // whoever hears of it may end this process at once
	p.conn.SetMeter(p)
	p.conn.SetOutlives()
	p.conn.SetState(Name, fmt.Sprintf("spliced after %v", took.Round(time.Microsecond)))
	p.conn.Wake()
}

func (c *counters) switchedAfter(took time.Duration) {
	c.switched.Add(1)
	c.mu.Lock()
	c.took += took
	c.mu.Unlock()
}

// wait waits for the end of a spliced pair and lets go of its sockets without a word
// to the peers, unless it was aborted.
func (p *pair) wait() engine.End {
	aborted := make(chan struct{})
	var once sync.Once
	p.conn.OnAbort(func() { once.Do(func() { close(aborted) }) })
	select {
	case <-p.over:
	case <-aborted:
		return p.abort()
	}
	p.silence()
	p.detach()
	p.engine.linger(p)
	return p.how()
}

// remember keeps what the mover has moved for the process that may adopt the pair. As
// long as the mover has not ended, it may not have counted its last bytes.
func (p *pair) remember(final bool) {
	p.before.Lock()
	defer p.before.Unlock()
	if p.settled {
		return
	}
	p.settled = final
	p.meter.Before = [2]uint64{
		engine.Up:   p.conn.Taken + p.conn.Counter(engine.Up).Load(),
		engine.Down: p.conn.Counter(engine.Down).Load(),
	}
}

// detach leaves what is known of a pair by now with the connection, which may be asked
// about when the slot is another pair's, and returns how many bytes the programs had
// moved.
func (p *pair) detach() (moved [2]uint64) {
	first := engine.Direction(max(atomic.LoadUint32(&p.meter.FirstFin), 1) - 1)
	for _, d := range []engine.Direction{first, first.Other()} {
		if p.Ended(d) {
			p.conn.MarkEnded(d)
		}
	}
	var last engine.Counters
	for d := range last {
		moved[d] = atomic.LoadUint64(&p.meter.Bytes[d])
		last[d].Store(p.conn.Counter(engine.Direction(d)).Load() + moved[d])
	}
	p.conn.SetMeter(&last)
	return moved
}

// how returns how a pair has ended that is over, and counts it.
func (p *pair) how() engine.End {
	resets := [...]engine.Cause{kern.Client: engine.ClientReset, kern.Backend: engine.BackendReset}
	closes := [...]engine.Cause{kern.Client: engine.ClientClosed, kern.Backend: engine.BackendClosed}
	if r := p.meter.Reset; r != 0 {
		p.engine.counters.reset.Add(1)
		return engine.End{Cause: resets[r-1]}
	}
	p.engine.counters.finished.Add(1)
	return engine.End{Cause: closes[max(p.meter.FirstFin, 1)-1]}
}

// abort ends a spliced pair. A forwarder that is shut down leaves it to itself where
// it can; else both ends get a RST.
func (p *pair) abort() engine.End {
	cause := p.conn.Aborted()
	if cause == engine.Shutdown && p.engine.kernel.pinned {
		p.release()
		return engine.End{Cause: cause}
	}
	p.engine.counters.reset.Add(1)
	atomic.StoreUint32(&p.meter.Abort, 1)
	p.conn.Reset()
	var err error
	if p.adopted {
		err = p.engine.kernel.ns.do(p.tuples.reset)
	}
	p.detach()
	p.engine.linger(p)
	return engine.End{Cause: cause, Err: err}
}

// release leaves a pair to the next process, which is to tell what passes from now on.
// Its port stays taken: by the pair's own socket as long as this process lives.
func (p *pair) release() {
	p.silence()
	for d, told := range p.detach() {
		p.meter.Before[d] = -told
	}
	if !p.adopted {
		p.reserved = keep(p.conn.Backend)
	}
	e := p.engine
	e.mu.Lock()
	delete(e.pairs, p.slot)
	e.released = append(e.released, p.reserved)
	e.mu.Unlock()
}

// silence makes the kernel forget the two sockets, when they are closed, without a
// packet: that is what TCP_REPAIR is for (tcp_close in net/ipv4/tcp.c).
func (p *pair) silence() {
	if p.adopted {
		return // there are none
	}
	for _, c := range []*net.TCPConn{p.conn.Client, p.conn.Backend} {
		_ = control(c, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) })
	}
}

// monotonic is the clock of bpf.KtimeGetNS. Go's own is the same one, but it counts from
// an unknown time; it is asked because it needs no system call.
func monotonic() time.Duration { return epoch.clock + time.Since(epoch.time) }

// epoch is a moment on both clocks: of some tries, the one that took least time.
var epoch = func() (e struct {
	clock time.Duration
	time  time.Time
}) {
	least := time.Hour
	for range 16 {
		var now unix.Timespec
		before := time.Now()
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
		if took := time.Since(before); took < least {
			least, e.clock, e.time = took, time.Duration(now.Nano()), before
		}
	}
	return e
}()
