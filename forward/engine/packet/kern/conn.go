package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// Tuple names one of the forwarder's connections the way packets from its peer do.
type Tuple struct {
	Peer, Local         packet.Addr
	PeerPort, LocalPort bpf.BE16
}

// The two sides of a pair.
const (
	Client  = 0
	Backend = 1
)

// Ref says which side of which pair a connection is.
type Ref struct {
	Slot uint32 // in Conns and Meters
	Side uint32 // Client or Backend
}

// State is how far a pair has come.
type State uint32

// The states, in the order in which they are gone through.
const (
	Unused   State = iota
	Watching       // the forwarder's sockets carry the bytes
	Spliced        // the programs do
	Ended          // they still do, but both ends have said and heard that it is over
)

// Conn is a pair: user space fills it in before its two flows lead to it, and
// leaves it alone until it has removed them.
type Conn struct {
	lock  bpf.SpinLock
	State State
	_     uint32
	// Since is when user space linked the pair, on the clock of
	// bpf.KtimeGetNS: attempts to hold a sender count from then.
	Since uint64
	Sides [2]Side
	// Note is what the process whose pair it is has to tell to one that adopts it.
	Note Note
}

// Note is a text that programs leave alone.
type Note struct {
	Len  uint32
	Text [252]byte
}

// Side is one of a pair's connections.
type Side struct {
	Tuple Tuple

	// Lead is by how much the bytes received from this peer exceed those that
	// the other peer has acknowledged when nothing is on its way: what was
	// taken out of the stream (a PROXY header), less what was put in.
	Lead uint32
	// PeerScale and OwnScale are the shifts (RFC 7323 2) of the windows in
	// packets from this peer and to it.
	PeerScale, OwnScale uint8
	// Known says what has been seen since the pair was linked.
	Known Known
	Fin   FinState

	// Next is the sequence number behind the last byte that has passed from
	// this peer.
	Next uint32
	// Acked is the last acknowledgement that has passed from this peer, and
	// Edge the right edge of the window that was advertised to it.
	Acked, Edge uint32
	// StampFrom is the last time stamp from this peer, StampTo the last one
	// that was sent to it.
	StampFrom, StampTo uint32
	// Out is the interface through which packets leave to this peer.
	Out uint32
	// FinSeq is the sequence number of this peer's FIN.
	FinSeq uint32

	// What is added to the fields of a packet from this peer, once spliced.
	Seq, Ack, Stamp, Echo uint32
}

// Known is a set of what has been seen of a side.
type Known uint8

const (
	knownFrom Known = 1 << iota // a packet from the peer: Next, Acked, StampFrom
	knownTo                     // a packet to the peer: Edge, StampTo, Out
	knownAll  = knownFrom | knownTo
)

// FinState is how far the end of one direction has come.
type FinState uint8

const (
	finNone FinState = iota
	finSent
	finAcked
)

// Meter is what both halves know of a pair at any time without asking: user space
// maps the array of them into its memory.
type Meter struct {
	// Owner is the process that has taken the slot, 0 if it is free: processes
	// that share the maps take slots by compare and swap. Programs leave it alone.
	Owner uint64
	// Bytes is the payload that the programs have passed on from each side, not
	// counting what was sent again.
	Bytes [2]uint64
	// Switched is when the pair was spliced, and Last when a packet other than a
	// RST last passed, on the clock of bpf.KtimeGetNS.
	Switched, Last uint64
	State          State
	// Reset is 1 plus the side that sent a RST first, 0 if none did before the
	// pair had ended.
	Reset uint32
	// FirstFin is 1 plus the side that ended its direction first.
	FirstFin uint32
	// Abort is set by user space: resets from the forwarder's own sockets pass,
	// with the sequence number that the peer expects.
	Abort uint32
	// Held counts the packets whose window was held still.
	Held uint64
	// Tried counts packets that did not find the pair quiescent.
	Tried uint64
	// Fins is 1 for each side that has ended its direction.
	Fins [2]uint32
	// Before is what else was moved from each side and was not told by the process
	// that moved it: programs leave it alone.
	Before [2]uint64
	_      [4]uint64 // slots begin on cache lines of their own
}

// Totals counts packets.
type Totals struct {
	Translated uint64
	// Suppressed counts packets of the forwarder's own sockets that were kept
	// from the peers of spliced connections.
	Suppressed uint64
	// Stray counts packets of spliced connections that could not be translated
	// and were dropped.
	Stray uint64
}
