package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/perf"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/waggle-bpf/waggle/bench/events/kern"
	"github.com/waggle-bpf/waggle/load"
)

// variant is a way of sending and a way of reading.
type variant struct {
	name    string
	program string
	open    func(*load.Handle) (reader, error)
	// peer is the name of the variant to compare with.
	peer string
}

var variants = []variant{
	{"ring, load", "Output", openStream("Ring"), "ring, cilium"},
	{"ring, cilium", "Output", openRing, ""},
	{"ring batched, load", "Batched", openStream("Ring"), "ring batched, cilium"},
	{"ring batched, cilium", "Batched", openRing, ""},
	{"ring in place, load", "Reserved", openStream("Ring"), "ring in place, cilium"},
	{"ring in place, cilium", "Reserved", openRing, ""},
	{"perf, load", "Perf", openStream("Buffers"), "perf, cilium"},
	{"perf, cilium", "Perf", openPerf, ""},
}

// perCPUBuffer is the size of the perf buffers: as much as the ring on each CPU,
// of which only one sends.
const perCPUBuffer = 4 << 20

// flush is how long an event may lie in the buffer: load's default.
const flush = 50 * time.Millisecond

// reader reads a stream to its end.
type reader interface {
	// read gives the events until stop is called, and then those that are
	// there.
	read(func(*kern.Event)) error
	// stop may be called while read waits. The programs have ended by then.
	stop()
	// close frees the buffer and says how many events were still in it.
	close() (unread uint64, err error)
}

// stream is load's reader.
type stream struct{ *load.Stream[kern.Event] }

func openStream(mapName string) func(*load.Handle) (reader, error) {
	return func(h *load.Handle) (reader, error) {
		s, err := load.Events[kern.Event](h, mapName, load.StreamOptions{PerCPUBuffer: perCPUBuffer})
		return stream{s}, err
	}
}

func (s stream) read(each func(*kern.Event)) error {
	for e := range s.All(context.Background()) {
		each(e)
	}
	return s.Err()
}

func (s stream) stop() { s.Close() }

func (s stream) close() (uint64, error) {
	err := s.Close()
	stats, statsErr := s.Stats()
	return stats.Unread + stats.Malformed, errors.Join(err, statsErr)
}

// ciliumRing is the peer's reader of ring buffers, used as its documentation
// advises for speed: one record for all, and a deadline, because programs may
// keep from waking it.
type ciliumRing struct {
	*ringbuf.Reader
	rec ringbuf.Record
}

func openRing(h *load.Handle) (reader, error) {
	m, err := h.Map("Ring")
	if err != nil {
		return nil, err
	}
	r, err := ringbuf.NewReader(m)
	return &ciliumRing{Reader: r}, err
}

func (r *ciliumRing) read(each func(*kern.Event)) error {
	r.SetDeadline(time.Now().Add(flush))
	for {
		switch err := r.ReadInto(&r.rec); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			r.SetDeadline(time.Now().Add(flush))
		case errors.Is(err, ringbuf.ErrFlushed):
			return nil
		case err != nil:
			return err
		default:
			if err := give(r.rec.RawSample, each); err != nil {
				return err
			}
		}
	}
}

func (r *ciliumRing) stop() { r.Flush() }

func (r *ciliumRing) close() (uint64, error) {
	return uint64(r.AvailableBytes()) / (uint64(unsafe.Sizeof(kern.Event{})) + 8), r.Close()
}

// ciliumPerf is the peer's reader of perf buffers, with load's watermark.
type ciliumPerf struct {
	*perf.Reader
	rec perf.Record
}

func openPerf(h *load.Handle) (reader, error) {
	m, err := h.Map("Buffers")
	if err != nil {
		return nil, err
	}
	r, err := perf.NewReaderWithOptions(m, perCPUBuffer, perf.ReaderOptions{Watermark: perCPUBuffer / 8})
	return &ciliumPerf{Reader: r}, err
}

func (r *ciliumPerf) read(each func(*kern.Event)) error {
	r.SetDeadline(time.Now().Add(flush))
	for {
		switch err := r.ReadInto(&r.rec); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			r.SetDeadline(time.Now().Add(flush))
		case errors.Is(err, perf.ErrFlushed):
			return nil
		case err != nil:
			return err
		case r.rec.LostSamples > 0: // counted by the program
		default:
			if err := give(r.rec.RawSample, each); err != nil {
				return err
			}
		}
	}
}

func (r *ciliumPerf) stop() { r.Flush() }

// close can't tell what is unread; then events are missing in the account.
func (r *ciliumPerf) close() (uint64, error) { return 0, r.Close() }

// give makes an event of bytes without another copy, as load does.
func give(b []byte, each func(*kern.Event)) error {
	if len(b) < int(unsafe.Sizeof(kern.Event{})) {
		return fmt.Errorf("read event: %d bytes are too few", len(b))
	}
	each((*kern.Event)(unsafe.Pointer(unsafe.SliceData(b))))
	return nil
}
