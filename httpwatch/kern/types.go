package kern

import "github.com/waggle-bpf/waggle/bpf/packet"

// Flow names one direction of a TCP connection. Interfaces and VLANs are not
// part of the name: the same packet seen on several of them is one packet.
type Flow struct {
	Src, Dst         packet.Addr
	SrcPort, DstPort uint16
}

// Reverse returns the other direction.
func (f *Flow) Reverse() Flow {
	return Flow{Src: f.Dst, Dst: f.Src, SrcPort: f.DstPort, DstPort: f.SrcPort}
}

// MaxData is how many bytes of payload a record holds at most. Super-packets take
// several records.
const MaxData = 32<<10 - HeaderLen

// Record is what the programs send: a piece of a flow's payload. Only Len bytes of
// Data are sent.
type Record struct {
	Header
	Data [MaxData]byte
}

// HeaderLen is the size of a Header in bytes.
const HeaderLen = 64

// Header says what a record's payload is.
type Header struct {
	Time uint64 // CLOCK_MONOTONIC in nanoseconds
	Flow Flow
	// Seq is the TCP sequence number of the first byte of payload.
	Seq uint32
	// Born is the sequence number at which the programs began to follow the
	// flow. It tells connections apart that use the same addresses and ports.
	Born    uint32
	IfIndex uint32 // where the packet was seen
	Len     uint32 // bytes of payload
	Flags   Flags
}

// Flags tell how a record came about.
type Flags uint32

// The flags.
const (
	// FromStart: nothing of the connection had been sent before, and its first
	// byte has the sequence number Born.
	FromStart Flags = 1 << iota
	// SegmentStart: the payload starts where the packet's payload starts.
	SegmentStart
	// Gap: earlier payload was left out, for want of room or of interest, and
	// will not be sent.
	Gap
	// Switched: the server has agreed to speak another protocol from here on.
	// Such a record has no payload, and of a flow only the name.
	Switched
)

// VerdictKind is what user space wants done with a flow.
type VerdictKind uint32

// The kinds of verdicts.
const (
	// Ignore: send nothing of this connection any more.
	Ignore VerdictKind = iota + 1
	// Scan: send nothing until a packet looks like the start of a request.
	Scan
	// Skip: send nothing before the sequence number Until, up to 2 GiB ahead.
	Skip
)

// Verdict is what user space says about a flow.
type Verdict struct {
	Kind  VerdictKind
	Born  uint32 // the connection it is about, as in Header
	Until uint32
}

// Counters are kept for every CPU.
type Counters struct {
	Packets    uint64 // TCP packets with payload
	Bytes      uint64 // their payload
	Sent       uint64 // bytes of payload sent to user space
	Duplicates uint64 // packets that had been sent before
	Fragments  uint64 // TCP packets that came in IP fragments, which are not put together
}

// Add adds another CPU's counters.
func (c *Counters) Add(d Counters) {
	c.Packets += d.Packets
	c.Bytes += d.Bytes
	c.Sent += d.Sent
	c.Duplicates += d.Duplicates
	c.Fragments += d.Fragments
}

// Window is how far, in bytes, packets may run ahead of missing ones before both
// halves stop waiting for these.
const Window = 1 << 20
