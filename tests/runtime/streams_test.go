package runtime

import (
	"fmt"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/tests/runtime/streams"
)

// TestStreams sends in bursts that fit and bursts that don't, and checks every
// event: received or counted as lost.
func TestStreams(t *testing.T) {
	const burst, page = streams.Burst, 4096
	// With its header an event takes 24 bytes of a ring.
	inSmall := uint64(page / 24)
	for _, tt := range []struct {
		program, buffer string
		kind            uint16
		runs            uint64
		events, lost    uint64 // lost: anyLoss if that depends
	}{
		{"SendSmall", "Small", 1, 1, burst, 0},
		{"SendSmall", "Small", 1, 40, inSmall, 40*burst - inSmall},
		{"SendLarge", "Large", 2, 50, 25 * burst, 0}, // every other one is discarded
		{"SendPerf", "Perf", 3, 1, burst, 0},
		{"SendPerf", "Perf", 3, 60, 0, anyLoss},
	} {
		sends := tt.runs * burst
		t.Run(fmt.Sprint(tt.program, sends), func(t *testing.T) {
			h := start(t, open(t, "streams"), load.Options{Programs: []string{tt.program}})
			s, err := load.Events[streams.Event](h, tt.buffer, load.StreamOptions{PerCPUBuffer: page, FlushInterval: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			for range tt.runs { // before anybody reads
				run(t, h, tt.program)
			}
			var got uint64
			for e := range s.All(t.Context()) {
				s.Close() // what is there still comes
				if e.Kind != tt.kind || e.Name != [6]byte{'w', 'a', 'g', 'g', 'l', 'e'} {
					t.Errorf("event %+v", *e)
				}
				got++
			}
			stats, err := s.Stats()
			if err != nil || s.Err() != nil {
				t.Fatal(err, s.Err())
			}
			if tt.lost == anyLoss {
				tt.events, tt.lost = got, sends-got
				if got == 0 || tt.lost == 0 {
					t.Errorf("%d events of %d", got, sends)
				}
			}
			want := load.StreamStats{Received: tt.events, Bytes: stats.Bytes, LostKernel: tt.lost}
			if stats != want || got != tt.events {
				t.Errorf("%d events, %+v; want %+v", got, stats, want)
			}
			if sent := get[uint64](t, h, "Seq"); sent != sends {
				t.Errorf("%d events sent", sent)
			}
		})
	}
}

const anyLoss = ^uint64(0)

// TestLostByMap: the account of lost events tells the buffers apart.
func TestLostByMap(t *testing.T) {
	h := start(t, open(t, "streams"), load.Options{})
	const runs, sends = 40, 40 * streams.Burst
	for _, p := range []string{"SendSmall", "SendLarge", "SendPerf"} {
		for range runs {
			run(t, h, p)
		}
	}
	lost, err := h.Lost()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, l := range lost {
		got[l.Map] = l.Count
	}
	// Nobody has opened the perf buffer.
	if want := uint64(sends - 4096/24); got["Small"] != want || got["Large"] != 0 || got["Perf"] != sends || len(got) != 2 {
		t.Errorf("lost %v", got)
	}
}
