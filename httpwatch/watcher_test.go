package httpwatch

import (
	"io"
	"testing"

	"github.com/waggle-bpf/waggle/httpwatch/kern"
)

// feed gives a watcher requests on 64 connections in turn, without a kernel.
type feed struct {
	w      *watcher
	header [64]kern.Header
	data   []byte
	turn   int
}

func newFeed(sink Sink) *feed {
	f := &feed{w: newWatcher(sink, noVerdicts{}, 1000), data: []byte(get("/index.html"))}
	for i := range f.header {
		f.header[i] = kern.Header{
			Flow:  kern.Flow{SrcPort: uint16(i), DstPort: 80},
			Len:   uint32(len(f.data)),
			Flags: kern.FromStart | kern.SegmentStart,
		}
	}
	return f
}

func (f *feed) next() {
	h := &f.header[f.turn%len(f.header)]
	f.turn++
	f.w.record(h, f.data)
	h.Seq += h.Len
	h.Time += 1000
	h.Flags &^= kern.FromStart
}

type noVerdicts struct{}

func (noVerdicts) Put(kern.Flow, kern.Verdict) error { return nil }

func TestWatcherDoesNotAllocate(t *testing.T) {
	f := newFeed(NewJSONSink(io.Discard))
	for range 1000 {
		f.next()
	}
	if n := testing.AllocsPerRun(1000, f.next); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
	if f.w.summary.Requests != uint64(f.turn) {
		t.Errorf("%d requests seen of %d", f.w.summary.Requests, f.turn)
	}
}

func BenchmarkWatcher(b *testing.B) {
	for name, sink := range map[string]Sink{"text": NewTextSink(io.Discard), "json": NewJSONSink(io.Discard)} {
		b.Run(name, func(b *testing.B) {
			f := newFeed(sink)
			for b.Loop() {
				f.next()
			}
		})
	}
}
