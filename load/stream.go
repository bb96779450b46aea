package load

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/load/internal/capability"
)

// Stream is a sequence of events from a ring buffer or a perf buffer.
//
// One goroutine ranges over it, with All or WithPayload; Stats and Close may
// be called from others, and from the loop's body.
type Stream[T any] struct {
	src     source
	name    string
	size    int // of T
	decode  func(*Record) *T
	lost    func() (uint64, error) // what the programs counted
	stopped atomic.Bool

	mu      sync.Mutex
	running bool
	closed  bool
	err     error

	received, bytes, malformed, unread atomic.Uint64
}

// source is a buffer of records.
type source interface {
	// next waits for a record. The record's data is good until the next
	// call. errDrained means that stop was called and everything that was
	// there by then has been read.
	next(*Record) error
	// stop makes next come to its end. It may be called while next waits.
	stop()
	// lost is how many records the kernel says it had no room for.
	lost() uint64
	// pending is how many records nobody has read.
	pending() uint64
	close() error
}

var errDrained = errors.New("drained")

// StreamOptions control the reading of events. The zero value is good.
type StreamOptions struct {
	// FlushInterval is the longest time an event waits in the buffer for
	// others to share a wake-up with, where the program or the watermark lets
	// it wait. 50 ms if zero.
	FlushInterval time.Duration
	// PerCPUBuffer is the size of a perf buffer on each CPU in bytes, rounded
	// up to pages. 256 KiB if zero. Ring buffers have the size of their map.
	PerCPUBuffer int
	// Watermark is how many bytes must be waiting in a perf buffer to wake
	// the reader before the flush interval has passed. An eighth of the
	// buffer if zero; 1 wakes it for each event.
	Watermark int
}

const (
	defaultFlush  = 50 * time.Millisecond
	defaultBuffer = 256 << 10
)

func (o StreamOptions) withDefaults() StreamOptions {
	if o.FlushInterval <= 0 {
		o.FlushInterval = defaultFlush
	}
	if o.PerCPUBuffer <= 0 {
		o.PerCPUBuffer = defaultBuffer
	}
	if o.Watermark <= 0 {
		o.Watermark = o.PerCPUBuffer / 8
	}
	return o
}

// Record is an event without a type.
type Record struct {
	// Data is what the program wrote. In perf buffers up to 7 bytes of
	// padding follow. It is good until the next record.
	Data []byte
	// CPU is where the event happened; -1 in ring buffers, which do not tell.
	CPU int
	// Lost is how many events were lost since the record before, as far as
	// the buffer itself tells: perf buffers only, and per CPU.
	Lost uint64
}

// Events opens a ring buffer (BPF_MAP_TYPE_RINGBUF) or perf buffer
// (BPF_MAP_TYPE_PERF_EVENT_ARRAY) of the handle, whose events begin with a T.
// There should be one reader of a ring buffer at a time, and of a perf buffer
// there can only be one.
//
// If the map's definition declares a value type, T is checked against it.
func Events[T any](h *Handle, mapName string, opts StreamOptions) (*Stream[T], error) {
	shape, err := shapeOf[T]()
	if err != nil {
		return nil, fmt.Errorf("open events of %s: %w", mapName, err)
	}
	if t := h.obj.spec.Maps[mapName]; t != nil && t.Value != nil && t.Type == ebpf.RingBuf {
		if err := shape.check(t.Value); err != nil {
			return nil, fmt.Errorf("open events of %s: %w", mapName, err)
		}
	}
	s, err := openStream[T](h, mapName, opts)
	if err != nil {
		return nil, err
	}
	s.size = int(shape.typ.Size())
	s.decode = func(r *Record) *T {
		if len(r.Data) < s.size {
			return nil
		}
		// Records are 8-byte aligned in ring buffers and on the Go heap.
		return (*T)(unsafe.Pointer(unsafe.SliceData(r.Data)))
	}
	return s, nil
}

// RawEvents opens a ring or perf buffer of the handle whose events are of no
// one type, or of none known.
func RawEvents(h *Handle, mapName string, opts StreamOptions) (*Stream[Record], error) {
	s, err := openStream[Record](h, mapName, opts)
	if err != nil {
		return nil, err
	}
	s.decode = func(r *Record) *Record { return r }
	return s, nil
}

func openStream[T any](h *Handle, name string, opts StreamOptions) (*Stream[T], error) {
	m, err := h.Map(name)
	if err != nil {
		return nil, err
	}
	src, err := openSource(m, opts.withDefaults())
	if err != nil {
		return nil, refused("open events of "+name, err, capability.BPF)
	}
	return &Stream[T]{
		src:  src,
		name: name,
		lost: func() (uint64, error) { return h.lostFor(name) },
	}, nil
}

func openSource(m *ebpf.Map, opts StreamOptions) (source, error) {
	switch m.Type() {
	case ebpf.RingBuf:
		return openRing(m, opts.FlushInterval)
	case ebpf.PerfEventArray:
		return openPerf(m, opts)
	}
	return nil, fmt.Errorf("map type %v is neither a ring buffer nor a perf event array", m.Type())
}

// All gives the events as they come, until ctx is done, which closes the stream,
// or somebody else closes it; then those that were in the buffer at that moment,
// and ends. What it gives lies in the buffer itself and is good only until the
// next event: copy it to keep it. After the loop, look at Err and Stats.
func (s *Stream[T]) All(ctx context.Context) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		s.run(ctx, func(e *T, _ *Record) bool { return yield(e) })
	}
}

// WithPayload is All for events with more data behind the T, such as a piece
// of a packet. In perf buffers up to 7 bytes of padding follow the payload,
// so that its length must be known from the event.
func (s *Stream[T]) WithPayload(ctx context.Context) iter.Seq2[*T, []byte] {
	return func(yield func(*T, []byte) bool) {
		s.run(ctx, func(e *T, r *Record) bool { return yield(e, r.Data[s.size:]) })
	}
}

func (s *Stream[T]) run(ctx context.Context, yield func(*T, *Record) bool) {
	if err := s.start(); err != nil {
		return
	}
	// A panic in the loop's body must not keep the buffer from being freed.
	defer s.finish()
	// What Close has to say, Err says.
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	var r Record
	for {
		if err := s.src.next(&r); err != nil {
			if !errors.Is(err, errDrained) {
				s.fail(err)
			}
			return
		}
		e := s.decode(&r)
		if e == nil {
			s.malformed.Add(1)
			continue
		}
		// The only writer: no need for a read-modify-write.
		s.received.Store(s.received.Load() + 1)
		s.bytes.Store(s.bytes.Load() + uint64(len(r.Data)))
		if !yield(e, &r) {
			return
		}
	}
}

func (s *Stream[T]) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errClosedStream
	case s.running:
		s.err = fmt.Errorf("read events of %s: somebody is reading them already", s.name)
		return s.err
	}
	s.running = true
	return nil
}

var errClosedStream = errors.New("the stream is closed")

func (s *Stream[T]) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	if s.stopped.Load() {
		s.release()
	}
}

func (s *Stream[T]) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = fmt.Errorf("read events of %s: %w", s.name, err)
}

// release frees the buffer, with s.mu held.
func (s *Stream[T]) release() {
	if s.closed {
		return
	}
	s.closed = true
	s.unread.Store(s.src.pending())
	if err := s.src.close(); err != nil && s.err == nil {
		s.err = fmt.Errorf("close events of %s: %w", s.name, err)
	}
}

// Close makes a running loop read what is in the buffer and end; the buffer is
// freed thereafter. Without a loop it is freed at once, and what is in it
// counts as unread. Close does not wait for the loop, and may be called again.
func (s *Stream[T]) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.stopped.Store(true)
	if s.running {
		s.src.stop()
		return nil
	}
	s.release()
	return s.err
}

// Err is what ended the last loop early; nil if it was Close, the context or
// the loop's own body.
func (s *Stream[T]) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// StreamStats counts what became of the events of a stream.
type StreamStats struct {
	Received uint64 // given to the loop
	Bytes    uint64 // of those
	// LostKernel never came into the buffer: the larger of what the programs
	// counted in the map waggle_lost and what a perf buffer reported. Both
	// count the same events, but a program notices more than the buffer, and
	// ring buffers report nothing.
	LostKernel uint64
	Malformed  uint64 // too short for the type, thus not given to the loop
	Unread     uint64 // still in the buffer when it was freed
}

// Lost is all that should have reached the loop and did not.
func (s StreamStats) Lost() uint64 { return s.LostKernel + s.Malformed + s.Unread }

// Stats tells how the stream is doing. It can be asked after Close, but the
// handle must be open for the programs' own count of lost events.
func (s *Stream[T]) Stats() (StreamStats, error) {
	inKernel, err := s.lost()
	return StreamStats{
		Received:   s.received.Load(),
		Bytes:      s.bytes.Load(),
		LostKernel: max(inKernel, s.src.lost()),
		Malformed:  s.malformed.Load(),
		Unread:     s.unread.Load(),
	}, err
}
