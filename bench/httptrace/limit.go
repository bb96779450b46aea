package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"time"
)

// flooded are the first rates to try when looking for the limit, and how many requests
// are in a packet.
var flooded = []step{{100_000, 1}, {400_000, 8}}

const (
	growth = 1.2
	// reached is the least share of a rate that the sender must achieve.
	reached = 0.97
)

// limits looks for the rate from which on requests are not seen: without a server,
// because none here is fast enough. The sender and the tracer have real-time priority,
// for a single moment without a CPU is too long for a full buffer.
func limits(ctx context.Context, o options, _ *process) error {
	tunnel, err := openTunnel()
	if err != nil {
		return err
	}
	defer tunnel.Close()
	for _, first := range flooded {
		row := limitRow{Pipeline: first.pipeline, Repeats: o.repeats}
		for rate := float64(first.rate); !row.done(); rate *= growth {
			if err := row.try(ctx, o, step{int(rate), first.pipeline}, tunnel); err != nil {
				return err
			}
		}
		o.print(row)
	}
	return nil
}

// limitRow is what is known about the limit; its rates are achieved ones, in requests
// per second.
type limitRow struct {
	Pipeline int     `json:"pipeline"`
	Repeats  int     `json:"repeats"`
	Holds    float64 `json:"holds_per_s"` // the highest rate at which enough were seen every time
	Fails    float64 `json:"fails_per_s"` // the lowest rate at which they were not; 0 if there was none
	Worst    float64 `json:"worst_share"` // at that rate
	// Sender tells that the sender could not go faster, and how fast it was.
	Sender float64 `json:"sender_per_s,omitempty"`

	failed bool // every time, at the last rate
}

func (r *limitRow) done() bool { return r.failed || r.Sender > 0 }

// try measures a rate several times.
func (r *limitRow) try(ctx context.Context, o options, s step, tunnel *os.File) error {
	load := flood{rate: s.rate, pipeline: s.pipeline, duration: o.duration}
	slowest, fastest, worst, best := math.Inf(1), 0.0, 1.0, 0.0
	for range r.Repeats {
		var row accuracyRow
		err := realTime(func() (err error) {
			row, err = s.measure(ctx, func(ctx context.Context) (uint64, time.Duration, error) { return load.run(ctx, tunnel) })
			return err
		})
		if err != nil {
			return err
		}
		slowest, fastest = min(slowest, row.Done), max(fastest, row.Done)
		worst, best = min(worst, row.Share), max(best, row.Share)
	}
	if fastest < reached*float64(s.rate) {
		r.Sender = fastest
	}
	if worst >= accurate {
		r.Holds = slowest
	} else if r.Fails == 0 {
		r.Fails, r.Worst = slowest, worst
	}
	r.failed = best < accurate
	return nil
}

func (r limitRow) String() string {
	text := fmt.Sprintf("limit, %2d requests in a packet, each rate %d times: at least %v seen up to %.0f requests/s", r.Pipeline, r.Repeats, accurate, r.Holds)
	if r.Fails > 0 {
		text += fmt.Sprintf(", not at %.0f (%.5f)", r.Fails, r.Worst)
	}
	if r.Sender > 0 {
		text += fmt.Sprintf("; the sender could not go beyond %.0f", r.Sender)
	}
	return text
}
