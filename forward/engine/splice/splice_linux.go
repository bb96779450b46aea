// Package splice is the engine that moves bytes with splice(2): from socket to
// pipe to socket, by reference, so that the kernel copies nothing and user space
// sees nothing. It needs no privilege.
//
// A direction holds a pipe only from the moment there is something to carry until
// the sink has taken it; idle connections hold none. If no pipe can be had, the
// chunk is copied. So are small chunks, because that is quicker: a direction
// begins with them, and again when its chunks have become small.
package splice

import (
	"io"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/copy"
	"github.com/waggle-bpf/waggle/forward/engine/pump"
)

// Name is the engine's name.
const Name = "splice"

// Options are the engine's bounds.
type Options struct {
	// MaxPipes is how many pipes may be open at a time, two file descriptors
	// each; DefaultMaxPipes if it is 0. The directions beyond copy. It bounds
	// the memory that slow readers can bind: PipeSize for each pipe, four
	// times that for 16 of them.
	MaxPipes int
}

// DefaultMaxPipes keeps pipes within 76 MiB. An unprivileged process can have 208
// of them, the rest is refused it (see PipeSize).
const DefaultMaxPipes = 256

// small is where splicing begins to pay, in bytes: below, copying twice costs
// less than a second system call and the work on a pipe.
const small = 16 << 10

// Engine moves bytes through pipes.
type Engine struct {
	pipes        pipes
	small, large *copy.Buffers
	spliced      atomic.Uint64
	copied       atomic.Uint64
}

// New returns the engine.
func New(o Options) *Engine {
	if o.MaxPipes == 0 {
		o.MaxPipes = DefaultMaxPipes
	}
	return &Engine{
		pipes: pipes{max: o.MaxPipes},
		small: copy.NewBuffers(small),
		large: copy.NewBuffers(copy.ChunkSize),
	}
}

// Name returns the engine's name.
func (*Engine) Name() string { return Name }

// Forward moves the pair's bytes.
func (e *Engine) Forward(p *engine.Pair) engine.End { return e.Pump(p, pump.Options{}) }

// Pump is Forward for an engine that wants to follow how the bytes move, and to
// take over from this one.
func (e *Engine) Pump(p *engine.Pair, o pump.Options) engine.End {
	movers := new([2]mover)
	for d := range movers {
		movers[d].init(e)
	}
	return pump.Run(p, o, [2]pump.Mover{&movers[0], &movers[1]})
}

// Close closes the pipes that nobody holds.
func (e *Engine) Close() error {
	e.pipes.close()
	return nil
}

// Stats tells what the engine has done and holds.
type Stats struct {
	Spliced uint64 `json:"spliced_chunks"`
	Copied  uint64 `json:"copied_chunks"` // for want of a pipe
	Pipes   int    `json:"pipes"`         // open ones
	Idle    int    `json:"pipes_idle"`    // those of them that no direction holds
	// NoPipe is why the last pipe could not be made, nil if that never happened.
	NoPipe error `json:"-"`
}

// Stats returns the engine's counters.
func (e *Engine) Stats() Stats {
	s := Stats{Spliced: e.spliced.Load(), Copied: e.copied.Load()}
	s.Pipes, s.Idle, s.NoPipe = e.pipes.state()
	return s
}

// mover carries one direction's bytes.
type mover struct {
	engine       *Engine
	small, large copy.Mover

	bulk bool // the last chunk was not small
	// What holds the chunk: a copier, or a pipe.
	copier *copy.Mover
	pipe   *pipe
	held   int // bytes in the pipe
}

func (m *mover) init(e *Engine) {
	*m = mover{engine: e, small: copy.MakeMover(e.small), large: copy.MakeMover(e.large)}
}

// Fill takes what the socket has.
func (m *mover) Fill(socket int) (n int, err error) {
	switch {
	case !m.bulk:
		n, err = m.fillBuffer(&m.small, socket)
	case m.takePipe():
		n, err = m.fillPipe(socket)
	default:
		if n, err = m.fillBuffer(&m.large, socket); n > 0 {
			m.engine.copied.Add(1)
		}
	}
	if n > 0 {
		m.bulk = n >= small
	}
	return n, err
}

func (m *mover) fillBuffer(c *copy.Mover, socket int) (int, error) {
	n, err := c.Fill(socket)
	if n > 0 {
		m.copier = c
	}
	return n, err
}

func (m *mover) takePipe() bool {
	m.pipe = m.engine.pipes.get()
	return m.pipe != nil
}

func (m *mover) fillPipe(socket int) (int, error) {
	n, err := splice(socket, m.pipe.w, m.pipe.size)
	if err != nil || n == 0 {
		m.engine.pipes.put(m.pipe)
		m.pipe = nil
		return 0, err
	}
	m.engine.spliced.Add(1)
	m.held = n
	return n, nil
}

// Drain gives the socket what it can take.
func (m *mover) Drain(socket int) (int, error) {
	if m.pipe == nil {
		return m.copier.Drain(socket)
	}
	n, err := splice(m.pipe.r, socket, m.held)
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF // a pipe that has bytes gives some
	}
	if err != nil {
		return 0, err
	}
	if m.held -= n; m.held == 0 {
		m.engine.pipes.put(m.pipe)
		m.pipe = nil
	}
	return n, nil
}

// Drop gives up what is in the pipe or buffer.
func (m *mover) Drop() {
	if m.pipe == nil {
		m.copier.Drop()
		return
	}
	m.engine.pipes.discard(m.pipe)
	m.pipe, m.held = nil, 0
}

// splice moves up to n bytes without waiting. There is no SPLICE_F_MORE: it would
// let the kernel hold the last segment back for more to come.
func splice(from, to, n int) (int, error) {
	for {
		moved, err := unix.Splice(from, nil, to, nil, n, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		if err != unix.EINTR {
			return int(moved), err
		}
	}
}
