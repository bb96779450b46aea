package load

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
)

const noWakeup = 1 // BPF_RB_NO_WAKEUP

func loadEvents(t testing.TB, set map[string]any) *Handle {
	t.Helper()
	o := openObject(t, "events.o")
	for name, v := range set {
		if err := o.Set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	return loadObject(t, o, Options{})
}

func openEvents(t testing.TB, h *Handle, buffer string, opts StreamOptions) *Stream[event] {
	t.Helper()
	s, err := Events[event](h, buffer, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// collect reads n events and leaves the loop.
func collect(t testing.TB, s *Stream[event], n int) []event {
	t.Helper()
	var got []event
	stuck := time.AfterFunc(patience, func() {
		t.Errorf("stuck after %d of %d events", len(got), n)
		s.Close()
	})
	defer stuck.Stop()
	for e := range s.All(t.Context()) {
		if got = append(got, *e); len(got) == n {
			break
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}

func checkStats(t testing.TB, s interface{ Stats() (StreamStats, error) }, want StreamStats) {
	t.Helper()
	got, err := s.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("stats (-want +got)\n%s", d)
	}
}

func TestStream(t *testing.T) {
	for _, tt := range []struct{ program, buffer string }{
		{"emit_ring", "ring"}, {"emit_watermark", "ring"}, {"emit_perf", "perf"},
	} {
		t.Run(tt.program, func(t *testing.T) {
			h := loadEvents(t, map[string]any{"batch": 10})
			s := openEvents(t, h, tt.buffer, StreamOptions{})
			run(t, h, tt.program, 100)
			got := collect(t, s, 1000)
			slices.SortFunc(got, func(a, b event) int { return int(a.Seq) - int(b.Seq) }) // by CPU in perf buffers
			for i, e := range got {
				if e.Seq != uint64(i) || e.Kind != 7 || e.Flags != 1 || string(e.Name[:7]) != "waggle\x00" {
					t.Fatalf("event %d is %+v", i, e)
				}
			}
			stats, err := s.Stats()
			if err != nil || stats.Received != 1000 || stats.Lost() != 0 {
				t.Errorf("stats %+v, %v", stats, err)
			}
		})
	}
}

// TestStreamFlush reads events of a program that never wakes its reader: they
// come when the flush interval has passed.
func TestStreamFlush(t *testing.T) {
	for _, tt := range []struct{ program, buffer string }{{"emit_ring", "ring"}, {"emit_perf", "perf"}} {
		t.Run(tt.program, func(t *testing.T) {
			h := loadEvents(t, map[string]any{"batch": 3, "flags": noWakeup})
			s := openEvents(t, h, tt.buffer, StreamOptions{FlushInterval: 20 * time.Millisecond})
			for range 3 {
				var sender sync.WaitGroup
				sender.Go(func() {
					time.Sleep(5 * time.Millisecond) // the reader waits by then
					run(t, h, tt.program, 1)
				})
				collect(t, s, 3)
				sender.Wait()
			}
		})
	}
}

// TestStreamWakes makes sure that with an endless flush interval events still
// come, after pauses as well as after a load: no wake-up is lost.
func TestStreamWakes(t *testing.T) {
	h := loadEvents(t, map[string]any{"batch": 1})
	s := openEvents(t, h, "ring", StreamOptions{FlushInterval: time.Hour})
	for i := range 300 {
		n := 1
		if i%10 == 0 {
			n = 500
		}
		var sender sync.WaitGroup
		sender.Go(func() {
			if i%3 == 0 {
				time.Sleep(time.Millisecond)
			}
			run(t, h, "emit_ring", n)
		})
		collect(t, s, n)
		sender.Wait()
		if t.Failed() {
			t.FailNow()
		}
	}
}

// TestStreamMixed sends a short, a discarded and a whole record.
func TestStreamMixed(t *testing.T) {
	h := loadEvents(t, nil)
	s := openEvents(t, h, "ring", StreamOptions{})
	run(t, h, "emit_mixed", 5)
	if got := collect(t, s, 5); got[4].Seq != 4 {
		t.Errorf("last event %+v", got[4])
	}
	checkStats(t, s, StreamStats{Received: 5, Bytes: 5 * 128, Malformed: 5})
}

// TestStreamWraps goes round a small buffer many times, with records of sizes
// that do not divide it.
func TestStreamWraps(t *testing.T) {
	h := loadEvents(t, map[string]any{"batch": 20})
	s := openEvents(t, h, "small", StreamOptions{})
	next := uint64(0)
	for range 500 {
		run(t, h, "emit_small", 1)
		for _, e := range collect(t, s, 20) {
			if e.Seq != next {
				t.Fatalf("event %d, want %d", e.Seq, next)
			}
			next++
		}
	}
}

// TestStreamLoss fills buffers that nobody reads: what did not fit is counted.
func TestStreamLoss(t *testing.T) {
	h := loadEvents(t, map[string]any{"batch": 50})
	s := openEvents(t, h, "small", StreamOptions{})
	run(t, h, "emit_small", 2)
	const fit = 4096 / (128 + 8)
	checkStats(t, s, StreamStats{LostKernel: 100 - fit})
	collect(t, s, fit)
	checkStats(t, s, StreamStats{Received: fit, Bytes: fit * 128, LostKernel: 100 - fit})
	lost, err := h.Lost()
	if d := cmp.Diff([]Lost{{"small", 100 - fit}}, lost); d != "" || err != nil {
		t.Errorf("lost %v, %v", lost, err)
	}

	p := openEvents(t, h, "perf", StreamOptions{PerCPUBuffer: 4096})
	run(t, h, "emit_perf", 2)
	stats, err := p.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if stats.LostKernel == 0 || stats.LostKernel >= 100 {
		t.Fatalf("perf buffer lost %d of 100", stats.LostKernel)
	}
	collect(t, p, int(100-stats.LostKernel))
	run(t, h, "emit_perf", 1) // the buffer reports its loss with the next record
	collect(t, p, 1)
	if n := p.src.lost(); n == 0 {
		t.Error("the perf buffer reports no loss")
	}
}

// TestStreamCloseWhenFlushed: what has come since the flush time was up is read too when
// the stream is closed in that moment.
func TestStreamCloseWhenFlushed(t *testing.T) {
	for _, tt := range []struct{ program, buffer string }{{"emit_ring", "ring"}, {"emit_perf", "perf"}} {
		t.Run(tt.program, func(t *testing.T) {
			h := loadEvents(t, map[string]any{"batch": 10, "flags": noWakeup})
			s := openEvents(t, h, tt.buffer, StreamOptions{FlushInterval: 10 * time.Millisecond})
			run(t, h, tt.program, 1)
			n := 0
			for range s.All(t.Context()) {
				if n++; n == 1 {
					run(t, h, tt.program, 1)
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
			checkStats(t, s, StreamStats{Received: 20, Bytes: uint64(20 * eventBytes(tt.buffer))})
		})
	}
}

// TestStreamClose closes while events wait: a loop reads them all and ends.
func TestStreamClose(t *testing.T) {
	for _, tt := range []struct{ program, buffer string }{{"emit_ring", "ring"}, {"emit_perf", "perf"}} {
		t.Run(tt.program, func(t *testing.T) {
			h := loadEvents(t, map[string]any{"batch": 10, "flags": noWakeup})
			s := openEvents(t, h, tt.buffer, StreamOptions{FlushInterval: time.Hour})
			run(t, h, tt.program, 100)
			n := 0
			for range s.All(t.Context()) {
				if n++; n == 1 {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
			checkStats(t, s, StreamStats{Received: 1000, Bytes: uint64(1000 * eventBytes(tt.buffer))})
			for range s.All(t.Context()) {
				t.Error("event after the end")
			}
			if err := errors.Join(s.Err(), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// eventBytes is an event's size in a buffer: perf buffers pad it.
func eventBytes(buffer string) int {
	if buffer == "perf" {
		return 132
	}
	return 128
}

// TestStreamCloseElsewhere closes from outside while the reader sleeps, and
// without a reader.
func TestStreamCloseElsewhere(t *testing.T) {
	for _, buffer := range []string{"ring", "perf"} {
		h := loadEvents(t, map[string]any{"batch": 10, "flags": noWakeup})
		s := openEvents(t, h, buffer, StreamOptions{FlushInterval: time.Hour})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range s.All(t.Context()) {
			}
		}()
		time.Sleep(10 * time.Millisecond)
		s.Close()
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatalf("%s: the reader sleeps on", buffer)
		}
		s = openEvents(t, h, buffer, StreamOptions{})
		run(t, h, map[string]string{"ring": "emit_ring", "perf": "emit_perf"}[buffer], 3)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		checkStats(t, s, StreamStats{Unread: 30})
	}
}

// TestStreamContext ends a loop by its context, before it began and while it waits:
// what is in the buffer still comes.
func TestStreamContext(t *testing.T) {
	for _, tt := range []struct{ program, buffer string }{{"emit_ring", "ring"}, {"emit_perf", "perf"}} {
		h := loadEvents(t, map[string]any{"batch": 10, "flags": noWakeup})
		s := openEvents(t, h, tt.buffer, StreamOptions{FlushInterval: time.Hour, Watermark: 1})
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		run(t, h, tt.program, 1)
		for range s.All(ctx) {
			if n++; n == 10 {
				run(t, h, tt.program, 2)
				time.AfterFunc(10*time.Millisecond, cancel) // the loop reads or waits by then
			}
		}
		cancel()
		if n != 30 {
			t.Errorf("%s: %d events", tt.buffer, n)
		}
		if err := errors.Join(s.Err(), s.Close()); err != nil {
			t.Errorf("%s: %v", tt.buffer, err)
		}

		s = openEvents(t, h, tt.buffer, StreamOptions{FlushInterval: time.Hour})
		run(t, h, tt.program, 1)
		n = 0
		for range s.All(ctx) {
			n++
		}
		if n != 10 {
			t.Errorf("%s: %d events of a loop whose context is done", tt.buffer, n)
		}
	}
}

// TestStreamCloseUnderLoad closes while a program fills the buffer faster than
// it is read: the loop ends all the same.
func TestStreamCloseUnderLoad(t *testing.T) {
	h := loadEvents(t, nil)
	s := openEvents(t, h, "ring", StreamOptions{})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				run(t, h, "emit_ring", 1000)
			}
		}
	}()
	n := 0
	for range s.All(t.Context()) {
		if n++; n == 100_000 {
			s.Close()
		}
	}
	close(stop)
	<-stopped
	if stats, _ := s.Stats(); stats.Received < 100_000 {
		t.Errorf("stats %+v", stats)
	}
}

func TestStreamOneReader(t *testing.T) {
	h := loadEvents(t, map[string]any{"batch": 2})
	s := openEvents(t, h, "ring", StreamOptions{})
	run(t, h, "emit_ring", 1)
	for range s.All(t.Context()) {
		for range s.All(t.Context()) {
			t.Fatal("a second reader gets events")
		}
		break
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "somebody is reading them already") {
		t.Errorf("error %v", err)
	}
}

// TestStreamPayload reads events with a piece of the packet behind them.
func TestStreamPayload(t *testing.T) {
	type head struct {
		Seq   uint64
		CPU   uint32
		Kind  uint16
		Flags uint8
		Name  [16]byte
	}
	h := loadEvents(t, nil)
	s, err := Events[head](h, "perf", StreamOptions{Watermark: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, err := h.Program("emit_payload")
	if err != nil {
		t.Fatal(err)
	}
	packet := []byte("0123456789abcdefghijklmnopqrstuvwxyz")
	if _, err := p.Run(&ebpf.RunOptions{Data: packet}); err != nil {
		t.Fatal(err)
	}
	for e, payload := range s.WithPayload(t.Context()) {
		if e.Kind != 7 || !strings.HasPrefix(string(payload), "0123456789abcdefghij") || len(payload) > 27 {
			t.Errorf("event %+v, payload %q", e, payload)
		}
		break
	}
}

func TestRawEvents(t *testing.T) {
	h := loadEvents(t, nil)
	s, err := RawEvents(h, "ring", StreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run(t, h, "emit_mixed", 1)
	var sizes []int
	for r := range s.All(t.Context()) {
		if r.CPU != -1 {
			t.Errorf("CPU %d of a ring buffer", r.CPU)
		}
		if sizes = append(sizes, len(r.Data)); len(sizes) == 2 {
			break
		}
	}
	if !slices.Equal(sizes, []int{5, 128}) {
		t.Errorf("sizes %v", sizes)
	}
	checkStats(t, s, StreamStats{Received: 2, Bytes: 133})
}

func TestEventsRefuse(t *testing.T) {
	h := loadEvents(t, nil)
	if _, err := Events[struct{ S string }](h, "ring", StreamOptions{}); err == nil || !strings.Contains(err.Error(), "S is string") {
		t.Errorf("type with a pointer: %v", err)
	}
	if _, err := Events[[16]uint64](h, "ring", StreamOptions{}); err == nil || !strings.Contains(err.Error(), `the object's type has "cpu"`) {
		t.Errorf("type that contradicts the map's: %v", err)
	}
	if _, err := RawEvents(h, "absent", StreamOptions{}); err == nil || !strings.Contains(err.Error(), `no map "absent"`) {
		t.Errorf("absent map: %v", err)
	}
}
