package redirect

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/waggle-bpf/waggle/redirect/kern"
)

// ways says what each way of a direction is called, and what it means.
var ways = [kern.NumWays]struct{ name, meaning string }{
	kern.Fresh:    {"fresh", "nothing was sent"},
	kern.Learning: {"learning", "the reader has not shown yet that it reads"},
	kern.Short:    {"short", "from socket to socket"},
	kern.Alone:    {"alone", "the other end was not there when it was sent to, or does not belong to the group"},
	kern.Bulk:     {"bulk", "much is sent without an answer"},
	kern.Backlog:  {"backlog", "the reader does not keep up"},
	kern.Splices:  {"splices", "the reader calls splice"},
	kern.Waits:    {"waits", "an end has a socket that blocks"},
	kern.Zerocopy: {"zerocopy", "the sender wants to be told when its memory is free"},
	kern.Layered:  {"layered", "TLS in the kernel, or the like"},
	kern.Mixed:    {"mixed", "something was sent past the program"},
	kern.Gone:     {"gone", "the other direction has left, or the reader is closed"},
	kern.Ended:    {"ended", "the short cut has ended"},
}

// WayName names a way.
func WayName(w kern.Way) string {
	if int(w) >= len(ways) {
		return "unknown"
	}
	return ways[w].name
}

// Traffic is what directions have carried.
type Traffic struct {
	Messages       uint64 `json:"messages"` // from socket to socket
	Bytes          uint64 `json:"bytes"`
	PassedMessages uint64 `json:"passed_messages"` // through TCP, while it was looked at
	PassedBytes    uint64 `json:"passed_bytes"`
}

func (t *Traffic) add(d *kern.Direction) {
	t.Messages += d.Messages
	t.Bytes += d.Bytes
	t.PassedMessages += d.PassedMessages
	t.PassedBytes += d.PassedBytes
}

// Connection is a connection that is open.
type Connection struct {
	Client netip.AddrPort `json:"client"`
	Server netip.AddrPort `json:"server"`
	PID    uint32         `json:"pid"` // of the process that connected
	Age    time.Duration  `json:"age_ns"`
	// ToServer and ToClient are the ways of the two directions.
	ToServer string `json:"to_server"`
	ToClient string `json:"to_client"`
	Traffic
}

// Summary is an account since the start.
type Summary struct {
	Elapsed time.Duration `json:"elapsed_ns"`
	// Connections counts those taken: both ends belong. Open of them are open.
	Connections uint64 `json:"connections"`
	Open        uint64 `json:"open"`
	// Alone counts connections of which only the client's end could be taken.
	Alone uint64 `json:"alone"`
	// Full counts those for which there was no room, Unfit ends that can't be taken
	// (multipath TCP, TLS in the kernel, the socket map of somebody else), Refused
	// connections of programs that read past the short cut, or from sockets that block.
	Full    uint64 `json:"full"`
	Unfit   uint64 `json:"unfit"`
	Refused uint64 `json:"refused"`
	Traffic
	// Ways counts directions by their way, open and closed ones.
	Ways map[string]uint64 `json:"ways"`
	// MaxUnread is the most that any reader has left in the short cut, in bytes, with
	// 1024 for each message.
	MaxUnread uint64 `json:"max_unread"`
	// Left counts connections that keep a program after the end; see Session.Close.
	Left int `json:"left,omitempty"`
	// LostReports counts reports of the kernel half for which there was no room.
	LostReports uint64 `json:"lost_reports,omitempty"`
	// Faults are the faults of the programs.
	Faults []string `json:"faults,omitempty"`
}

func (s *Summary) count(w kern.Way, n uint64) {
	if n > 0 {
		s.Ways[WayName(w)] += n
	}
}

// describe names a connection.
func describe(t *kern.Tuple) string {
	return fmt.Sprintf("%v to %v", netip.AddrPortFrom(t.Client.Netip(), uint16(t.ClientPort)), netip.AddrPortFrom(t.Server.Netip(), uint16(t.ServerPort)))
}

// String is the account in a few lines.
func (s *Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d connections: %d messages, %s short-cut; %d messages, %s through TCP", s.Connections, s.Messages, size(s.Bytes), s.PassedMessages, size(s.PassedBytes))
	for w := range kern.NumWays {
		if n := s.Ways[ways[w].name]; n > 0 {
			fmt.Fprintf(&b, "\n  %-8s %d directions: %s", ways[w].name, n, ways[w].meaning)
		}
	}
	for _, c := range []struct {
		n    uint64
		text string
	}{
		{s.Alone, "connections whose other end could not be taken"},
		{s.Refused, "connections of programs that read past the short cut, or from sockets that block"},
		{s.Unfit, "ends that are no plain TCP, or belong to another socket map"},
		{s.Full, "connections for which there was no room"},
		{s.LostReports, "reports of the programs lost"},
		{uint64(s.Left), "connections with something unread keep it until they end"},
	} {
		if c.n > 0 {
			fmt.Fprintf(&b, "\n  %d %s", c.n, c.text)
		}
	}
	fmt.Fprintf(&b, "\n  at most %s unread", size(s.MaxUnread))
	return b.String()
}

// size prints a number of bytes.
func size(n uint64) string {
	const step = 1024
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/step, 0
	for f >= step && unit < len(units)-1 {
		f, unit = f/step, unit+1
	}
	return fmt.Sprintf("%.1f %s", f, units[unit])
}

var units = [...]string{"KiB", "MiB", "GiB", "TiB", "PiB"}
