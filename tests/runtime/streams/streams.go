// Package streams sends events through buffers that are too small for them.
package streams

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// Event is numbered.
type Event struct {
	Seq  uint64
	Kind uint16
	Name [6]byte
}

// Seq is the number of the next event.
var Seq uint64

// Burst is how many events one run sends: few, because the verifier of Linux 6.1
// looks at almost every way through all rounds of a loop.
const Burst = 8

// The buffers. Small has room for 170 events.
var (
	Small = bpf.RingBuf[Event]{MaxEntries: 4096}
	Large = bpf.RingBuf[Event]{MaxEntries: 1 << 20}
	Perf  bpf.PerfEventArray[Event]
)

func (e *Event) fill(kind uint16) {
	*e = Event{Seq: Seq, Kind: kind, Name: [6]byte{'w', 'a', 'g', 'g', 'l', 'e'}}
	Seq++
}

//bpf:tc
func SendSmall(*tc.Context) tc.Action {
	var e Event
	for range Burst {
		e.fill(1)
		Small.Output(&e)
	}
	return tc.OK
}

//bpf:tc
func SendLarge(*tc.Context) tc.Action {
	for range Burst {
		e := Large.Reserve()
		if e == nil {
			break
		}
		e.fill(2)
		if e.Seq&1 != 0 {
			Large.Discard(e)
		} else {
			Large.SubmitBatched(e)
		}
	}
	return tc.OK
}

// SendPerf sends each event with the first Ethernet header behind it.
//
//bpf:tc
func SendPerf(ctx *tc.Context) tc.Action {
	var e Event
	for range Burst {
		e.fill(3)
		Perf.OutputPacket(ctx, &e, 14)
	}
	return tc.OK
}
