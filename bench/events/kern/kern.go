// Package kern makes events as fast as it can: the kernel half of the event
// stream benchmark. Its programs differ only in how they send.
package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// PerRun is how many events one run of a program makes.
const PerRun = 64

// Event is what is sent: 128 bytes.
type Event struct {
	Seq  uint64
	Kind uint64
	Fill [112]byte
}

// Sent counts the events that were made, those that found no room included. It
// is the number of the next event.
var Sent uint64

// Ring takes the events of all programs but Perf.
var Ring = bpf.RingBuf[Event]{MaxEntries: 4 << 20}

// Buffers take the events of Perf.
var Buffers bpf.PerfEventArray[Event]

// Output copies each event into the ring; the reader is woken when it has
// nothing left.
//
//bpf:tc
func Output(*tc.Context) tc.Action {
	var e Event
	for range PerRun {
		number(&e)
		Ring.Output(&e)
	}
	return tc.OK
}

// Batched is Output that wakes the reader once for many events.
//
//bpf:tc
func Batched(*tc.Context) tc.Action {
	var e Event
	for range PerRun {
		number(&e)
		Ring.OutputBatched(&e)
	}
	return tc.OK
}

// Reserved is Batched that fills each event in place.
//
//bpf:tc
func Reserved(*tc.Context) tc.Action {
	for range PerRun {
		e := Ring.Reserve()
		if e == nil {
			Sent++
			continue
		}
		*e = Event{}
		number(e)
		Ring.SubmitBatched(e)
	}
	return tc.OK
}

// Perf copies each event into a perf buffer.
//
//bpf:tc
func Perf(ctx *tc.Context) tc.Action {
	var e Event
	for range PerRun {
		number(&e)
		Buffers.Output(ctx, &e)
	}
	return tc.OK
}

// number gives an event its place in the stream.
func number(e *Event) {
	e.Seq, e.Kind = Sent, 1
	Sent++
}
