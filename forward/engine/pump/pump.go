// Package pump moves the bytes of a pair in user space: one loop for each
// direction, which waits for the source, takes a chunk, and takes no more until
// the sink has all of it, so that a slow reader slows the writer and nothing
// piles up. How a chunk is carried (through a buffer, through a pipe) is a
// Mover's business; ends, resets and aborts are handled here.
//
// A loop waits in Go's poller: an idle connection costs a goroutine for each
// direction and no buffer.
package pump

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/rawio"
)

// Mover carries the bytes of one direction, a chunk at a time. Its methods never
// block.
type Mover interface {
	// Fill takes what the socket has, up to a chunk, and returns how much that
	// is: 0 without an error at the end of the stream. If there is nothing
	// yet, it returns unix.EAGAIN and holds no resources.
	Fill(socket int) (int, error)
	// Drain gives to the socket what it can take and returns how much that was.
	// When the whole chunk is gone, the mover holds no resources.
	Drain(socket int) (int, error)
	// Drop gives up what the mover holds.
	Drop()
}

// Options is what a pump can be asked for beside moving bytes.
type Options struct {
	// Counters, if they are not nil, count the bytes of each direction instead
	// of the pair's own. They are added to when the sink has taken bytes; a
	// counter that equals what the source has sent means that the sink has all
	// of it.
	Counters [2]*atomic.Uint64

	// OnChunk, if it is not nil, is called after each chunk with the
	// direction's counter. It runs between two chunks, so it must be quick;
	// it may call Pair.Wake. Each direction calls from a goroutine of its own.
	OnChunk func(d engine.Direction, total uint64)

	// OnFill, if it is not nil, is called when a chunk was taken and before it is
	// given, with the direction's counter, which does not contain it yet. Else
	// it is like OnChunk.
	OnFill func(d engine.Direction, total uint64)
}

// ErrWoken ends a pump whose pair was woken but not aborted. Every byte that was
// taken has been given: somebody else may go on with the pair.
var ErrWoken = errors.New("woken")

// Run moves the bytes of a pair until both directions have ended, or one is
// broken, or the pair is aborted or woken. It returns how it ended, as
// engine.Engine's Forward does. After anything but a clean end or ErrWoken both
// connections are set to end with RST.
func Run(p *engine.Pair, o Options, movers [2]Mover) engine.End {
	r := &run{pair: p, hook: o.OnChunk, filled: o.OnFill}
	var conns [2]syscall.RawConn
	for d := range conns {
		var err error
		if conns[d], err = p.Source(engine.Direction(d)).SyscallConn(); err != nil {
			return engine.End{Cause: engine.Failed, Err: err}
		}
		r.counters[d] = o.Counters[d]
		if r.counters[d] == nil {
			r.counters[d] = p.Counter(engine.Direction(d))
		}
	}
	for d := range r.lanes {
		r.lanes[d].init(r, engine.Direction(d), movers[d], conns[d], conns[1-d])
	}
	r.other.Add(1)
	go r.down()
	r.lanes[engine.Up].pump()
	r.other.Wait()
	return r.end()
}

// run is a pump at work.
type run struct {
	pair     *engine.Pair
	counters [2]*atomic.Uint64
	hook     func(engine.Direction, uint64)
	filled   func(engine.Direction, uint64)
	lanes    [2]lane
	other    sync.WaitGroup

	broken atomic.Pointer[engine.End] // the first failure
	woken  atomic.Bool
}

func (r *run) down() {
	r.lanes[engine.Down].pump()
	r.other.Done()
}

// breaks records a failure; the first one is what the pair ended with.
func (r *run) breaks(cause engine.Cause, err error) {
	r.broken.CompareAndSwap(nil, &engine.End{Cause: cause, Err: err})
}

func (r *run) end() engine.End {
	p := r.pair
	if e := r.broken.Load(); e != nil {
		p.Reset()
		return *e
	}
	if p.Ended(engine.Up) && p.Ended(engine.Down) {
		return p.Closed()
	}
	if cause := p.Aborted(); cause != "" {
		p.Reset()
		return engine.End{Cause: cause}
	}
	if r.woken.Load() {
		return engine.End{Err: ErrWoken}
	}
	panic("BUG: a pump ended for no reason")
}

// lane is one direction of a run.
type lane struct {
	*run
	d        engine.Direction
	mover    Mover
	src, dst syscall.RawConn

	// What fill and drain leave behind; they are functions made once, because
	// a closure for each call would be garbage for each chunk.
	fill, drain func(uintptr) bool
	held        int // bytes the mover has
	err         error
	// writing is set while the sink's socket is written to, and stays so if that
	// gives an error: an error that the reader of that socket won't get.
	writing atomic.Bool
}

func (l *lane) init(r *run, d engine.Direction, m Mover, src, dst syscall.RawConn) {
	l.run, l.d, l.mover, l.src, l.dst = r, d, m, src, dst
	l.fill, l.drain = l.fillFrom, l.drainTo
}

// pump runs the lane until its direction ends or breaks.
func (l *lane) pump() {
	for l.chunk() {
		if l.hook != nil {
			l.hook(l.d, l.counters[l.d].Load())
		}
	}
	if l.held > 0 {
		l.mover.Drop()
	}
}

// chunk moves a chunk and tells whether there may be another.
func (l *lane) chunk() bool {
	if err := l.src.Read(l.fill); err != nil {
		return l.stopped(err)
	}
	switch {
	case l.err != nil:
		return l.sourceBroke(l.err)
	case l.held == 0:
		return l.sourceEnded()
	}
	if l.filled != nil {
		l.filled(l.d, l.counters[l.d].Load())
	}
	if err := l.dst.Write(l.drain); err != nil {
		return l.stopped(err)
	}
	if l.err != nil {
		return l.sinkBroke(l.err)
	}
	return true
}

// fillFrom is what RawConn.Read calls when there may be something to read, at
// first without having waited. That matters: the poller reports a change only
// once, so what came before has to be looked for.
func (l *lane) fillFrom(fd uintptr) bool {
	l.held, l.err = l.mover.Fill(int(fd))
	return l.err != unix.EAGAIN
}

// drainTo is what RawConn.Write calls when the sink may take more. It is done
// when the chunk is.
func (l *lane) drainTo(fd uintptr) bool {
	l.writing.Store(true)
	for l.held > 0 {
		var n int
		if n, l.err = l.mover.Drain(int(fd)); l.err != nil {
			break
		}
		l.held -= n
		l.counters[l.d].Add(uint64(n))
	}
	again := l.err == unix.EAGAIN
	if l.err == nil || again {
		l.writing.Store(false)
	}
	return !again
}

// sourceEnded passes an end of stream on.
func (l *lane) sourceEnded() bool {
	if l.broken.Load() != nil || l.errorTaken() {
		return l.sourceBroke(unix.ECONNRESET)
	}
	l.pair.MarkEnded(l.d)
	if err := l.dst.Control(func(fd uintptr) { l.err = rawio.CloseWrite(int(fd)) }); err != nil {
		return l.stopped(err)
	}
	if l.err != nil {
		return l.sinkBroke(l.err)
	}
	return false
}

// errorTaken tells whether the source was reset and the other lane, writing to it, was
// told so or is about to be: a socket reports its error once, and after that reads as
// if the stream had ended. Passing on a FIN would tell the reader that it has
// everything. A socket also is closed when both directions have ended, which is
// marked before it is done.
func (l *lane) errorTaken() bool {
	other := &l.lanes[l.d.Other()]
	return other.writing.Load() && l.sourceClosed() && !l.pair.Ended(other.d)
}

func (l *lane) sourceClosed() (closed bool) {
	err := l.src.Control(func(fd uintptr) { closed = rawio.Closed(int(fd)) })
	return err == nil && closed
}

// sourceBroke ends the run: what the source can't send any more, nobody can.
func (l *lane) sourceBroke(err error) bool {
	l.breaks(Blame(err, l.d), fmt.Errorf("read from %s: %w", side[l.d], err))
	l.pair.Wake()
	return false
}

// sinkBroke ends this direction. What the sink has sent before it broke is still
// in its socket, an answer that explains it perhaps: the other lane passes it on
// and then meets the end of that socket by itself.
func (l *lane) sinkBroke(err error) bool {
	cause := Blame(err, l.d.Other())
	l.breaks(cause, fmt.Errorf("write to %s: %w", side[l.d.Other()], err))
	if cause == engine.Failed {
		l.pair.Wake()
	}
	return false
}

// stopped ends the lane after its waiting was broken off.
func (l *lane) stopped(err error) bool {
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		l.breaks(engine.Failed, err)
		l.pair.Wake()
	case l.held > 0 && l.pair.Aborted() == "":
		l.breaks(engine.Failed, fmt.Errorf("write to %s: woken with %d bytes to go", side[l.d.Other()], l.held))
	default:
		l.woken.Store(true)
	}
	return false
}

// side names what a direction reads from.
var side = [2]string{engine.Up: "client", engine.Down: "backend"}

// resets are the errors by which a connection ends: the peer's, or the network's.
var resets = []error{
	unix.ECONNRESET, unix.EPIPE, unix.ENOTCONN, unix.ETIMEDOUT,
	unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENETDOWN, unix.ECONNREFUSED, unix.ECONNABORTED,
}

// Blame is the cause for an error of the socket that direction d reads from.
func Blame(err error, d engine.Direction) engine.Cause {
	for _, r := range resets {
		if errors.Is(err, r) {
			return [2]engine.Cause{engine.Up: engine.ClientReset, engine.Down: engine.BackendReset}[d]
		}
	}
	return engine.Failed
}
