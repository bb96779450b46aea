// Package copy is the engine that works everywhere: read and write.
package copy

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/pump"
	"github.com/waggle-bpf/waggle/forward/rawio"
)

// Name is the engine's name.
const Name = "copy"

// ChunkSize is how many bytes are carried at once. Larger chunks are hardly
// faster, and a connection whose sink is slow holds one.
const ChunkSize = 64 << 10

// Engine moves bytes through buffers that connections hold only while they have
// something in them.
type Engine struct {
	buffers *Buffers
}

// New returns the engine.
func New() *Engine { return &Engine{NewBuffers(ChunkSize)} }

// Name returns the engine's name.
func (*Engine) Name() string { return Name }

// Forward moves the pair's bytes.
func (e *Engine) Forward(p *engine.Pair) engine.End {
	movers := &[2]Mover{MakeMover(e.buffers), MakeMover(e.buffers)}
	return pump.Run(p, pump.Options{}, [2]pump.Mover{&movers[0], &movers[1]})
}

// Close has nothing to give back.
func (*Engine) Close() error { return nil }

// Buffers keeps buffers of one size for those who need one next.
type Buffers struct {
	size int
	pool sync.Pool
}

// NewBuffers returns a pool of buffers of size bytes.
func NewBuffers(size int) *Buffers { return &Buffers{size: size} }

func (b *Buffers) get() *[]byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return buf
	}
	buf := make([]byte, b.size)
	return &buf
}

func (b *Buffers) put(buf *[]byte) { b.pool.Put(buf) }

// Mover carries one direction's bytes through a buffer.
type Mover struct {
	buffers *Buffers
	buf     *[]byte // nil while there is nothing to carry
	rest    []byte  // what of it is still to be written
}

// NewMover returns a mover that takes its buffers from b.
func NewMover(b *Buffers) *Mover { return &Mover{buffers: b} }

// MakeMover is NewMover for a mover that is a part of something.
func MakeMover(b *Buffers) Mover { return Mover{buffers: b} }

// Fill reads a chunk.
func (m *Mover) Fill(socket int) (int, error) {
	m.buf = m.buffers.get()
	for {
		n, err := rawio.Read(socket, *m.buf)
		switch {
		case err == unix.EINTR:
		case err != nil || n <= 0:
			m.Drop()
			return 0, err
		default:
			m.rest = (*m.buf)[:n]
			return n, nil
		}
	}
}

// Drain writes what is left of the chunk.
func (m *Mover) Drain(socket int) (int, error) {
	for {
		n, err := rawio.Write(socket, m.rest)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, err
		default:
			m.rest = m.rest[n:]
			if len(m.rest) == 0 {
				m.Drop()
			}
			return n, nil
		}
	}
}

// Drop gives the buffer back.
func (m *Mover) Drop() {
	m.buffers.put(m.buf)
	m.buf, m.rest = nil, nil
}
