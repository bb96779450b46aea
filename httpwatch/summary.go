package httpwatch

import (
	"fmt"
	"strings"

	"github.com/waggle-bpf/waggle/httpwatch/kern"
	"github.com/waggle-bpf/waggle/load"
)

// Summary is the account of a run.
type Summary struct {
	// Requests is how many requests were given to the sink.
	Requests uint64
	// Connections is how many connections they came on.
	Connections uint64
	// Traffic is what the programs saw, over all CPUs.
	Traffic kern.Counters
	// Lost is what was not seen, by the stage where it was lost.
	Lost Losses
	// Faults are the faults of the kernel programs by source position.
	Faults []load.Fault
	// VerdictErrors is how often the programs could not be told to leave
	// something out. It costs time, not requests.
	VerdictErrors uint64
}

// Losses counts what may have kept requests from being seen.
type Losses struct {
	// Events is how many records found no room in the ring buffer, because
	// user space was too slow or the ring too small.
	Events uint64
	// Gaps is how often part of a connection was missing for good: one gap may
	// come from several lost events, or from packets that took another way.
	Gaps uint64
	// GapBytes is how many bytes were missing in the gaps.
	GapBytes uint64
	// Evicted is how many connections had to be forgotten in the middle of a
	// request, because there were too many of them.
	Evicted uint64
}

// Any reports whether anything was lost.
func (l Losses) Any() bool { return l.Events+l.Gaps+l.Evicted > 0 }

// FaultCount is how often kernel programs have faulted.
func (s *Summary) FaultCount() (n uint64) {
	for _, f := range s.Faults {
		n += f.Count
	}
	return n
}

// String returns the summary in one line.
func (s *Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests on %d connections, %d events lost", s.Requests, s.Connections, s.Lost.Events)
	if l := s.Lost; l.Gaps > 0 {
		fmt.Fprintf(&b, ", %d gaps (%d bytes)", l.Gaps, l.GapBytes)
	}
	if l := s.Lost; l.Evicted > 0 {
		fmt.Fprintf(&b, ", %d connections forgotten in mid-request", l.Evicted)
	}
	fmt.Fprintf(&b, ", %d faults", s.FaultCount())
	fmt.Fprintf(&b, "; %d packets, %s of %s read", s.Traffic.Packets, bytesText(s.Traffic.Sent), bytesText(s.Traffic.Bytes))
	return b.String()
}

// bytesText writes a number of bytes for people.
func bytesText(n uint64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1000, 0
	for v >= 999.95 && unit < len(units)-1 {
		v, unit = v/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", v, units[unit])
}
