package load

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf/ringbuf"
)

// event is struct event of testdata/events.c.
type event struct {
	Seq   uint64
	CPU   uint32
	Kind  uint16
	Flags uint8
	_     uint8
	Name  [16]byte
	Fill  [96]byte
}

// BenchmarkStream measures events of 128 bytes from a program that does
// nothing else, on one CPU, to a loop on another. An operation is an event.
// Unpaced, the program fills the buffer as fast as it can, and what does not
// fit is lost; paced, nothing is if both CPUs are free. What is not accounted
// for, and what is left unread, fails the benchmark.
func BenchmarkStream(b *testing.B) {
	for _, bm := range []struct {
		name, program, buffer string
		rate                  float64 // events a second; 0: unpaced
	}{
		{"ring", "emit_ring", "ring", 0},
		{"ring-watermark", "emit_watermark", "ring", 0},
		{"ring-2M", "emit_ring", "ring", 2e6},
		{"ring-4M", "emit_ring", "ring", 4e6},
		{"ring-watermark-2M", "emit_watermark", "ring", 2e6},
		{"perf", "emit_perf", "perf", 0},
		{"perf-1M", "emit_perf", "perf", 1e6},
	} {
		b.Run(bm.name, func(b *testing.B) { benchmarkStream(b, bm.program, bm.buffer, bm.rate) })
	}
	b.Run("cilium-ring", func(b *testing.B) { benchmarkCilium(b, "emit_ring") })
	b.Run("cilium-ring-watermark", func(b *testing.B) { benchmarkCilium(b, "emit_watermark") })
}

const perRun = 64 // events per program run: batch in events.c

func benchmarkStream(b *testing.B, program, buffer string, rate float64) {
	h := loadObject(b, openObject(b, "events.o"), Options{})
	s, err := Events[event](h, buffer, StreamOptions{PerCPUBuffer: 2 << 20})
	if err != nil {
		b.Fatal(err)
	}
	runs := max(1, b.N/perRun)
	b.ResetTimer()
	go func() {
		emit(b, h, program, runs, rate)
		s.Close()
	}()
	var sum uint64
	for e := range s.All(b.Context()) {
		sum += e.Seq
	}
	b.StopTimer()
	report(b, s, sent(b, h))
}

// sent asks the program how many events it made: the kernel starts a test run
// over if a signal of the Go runtime interrupts it.
func sent(b *testing.B, h *Handle) uint64 {
	v, err := VariableOf[uint64](h, "seq")
	if err != nil {
		b.Fatal(err)
	}
	n, err := v.Get()
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// emit runs a program, in small groups at the given rate of events.
func emit(b *testing.B, h *Handle, program string, runs int, rate float64) {
	if rate == 0 {
		run(b, h, program, runs)
		return
	}
	const group = 20
	start := time.Now()
	for done := 0; done < runs; done += group {
		run(b, h, program, min(group, runs-done))
		due := start.Add(time.Duration(float64((done+group)*perRun) / rate * 1e9))
		for time.Now().Before(due) {
		}
	}
}

func report(b *testing.B, s *Stream[event], sent uint64) {
	stats, err := s.Stats()
	if err != nil || s.Err() != nil {
		b.Fatal(err, s.Err())
	}
	b.ReportMetric(float64(stats.Received)/b.Elapsed().Seconds()/1e6, "Mev/s")
	b.ReportMetric(float64(stats.LostKernel)/float64(sent), "lost/sent")
	if stats.Received+stats.LostKernel != sent || stats.Unread > 0 || stats.Malformed > 0 {
		b.Errorf("sent %d, stats %+v", sent, stats)
	}
}

// benchmarkCilium is the same with the reader of cilium/ebpf, for comparison.
func benchmarkCilium(b *testing.B, program string) {
	h := loadObject(b, openObject(b, "events.o"), Options{})
	m, err := h.Map("ring")
	if err != nil {
		b.Fatal(err)
	}
	r, err := ringbuf.NewReader(m)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	runs := max(1, b.N/perRun)
	b.ResetTimer()
	done := make(chan struct{})
	go func() {
		run(b, h, program, runs)
		close(done)
		r.Flush()
	}()
	var rec ringbuf.Record
	received := 0
	for {
		r.SetDeadline(time.Now().Add(50 * time.Millisecond))
		err := r.ReadInto(&rec)
		if errors.Is(err, ringbuf.ErrFlushed) || errors.Is(err, os.ErrDeadlineExceeded) {
			select {
			case <-done:
				b.ReportMetric(float64(received)/b.Elapsed().Seconds()/1e6, "Mev/s")
				b.ReportMetric(1-float64(received)/float64(sent(b, h)), "lost/sent")
				return
			default:
				continue
			}
		}
		if err != nil {
			b.Fatal(err)
		}
		received++
	}
}
