package route

import (
	"net/netip"
	"time"
)

// Conn is what is known of a connection before its first byte.
type Conn struct {
	// Peer and Local are the ends of the TCP connection.
	Peer, Local netip.AddrPort

	// Source and Destination are what a PROXY header told, invalid if none did.
	Source, Destination netip.AddrPort
}

// End says whether more bytes can come.
type End uint8

// The ends.
const (
	Open     End = iota
	Deadline     // the client has had its time
	Closed       // the client sends no more
)

// Verdict is the kind of a decision.
type Verdict uint8

// The verdicts. All but NeedMore are final.
const (
	NeedMore Verdict = iota // more bytes can change which rule matches
	Matched                 // Rule matches: go to Target, or refuse as Refuse says
	NoRoute                 // no rule matches
	Rejected                // a rule asks for something that can't be told
)

// Decision is where a connection goes, and why.
type Decision struct {
	Verdict Verdict
	Rule    int     // index of the rule that decided, -1 if none did
	Name    string  // the rule's name
	Target  string  // the rule's group of backends
	Refuse  Refusal // how to refuse, unless it is forwarded

	// Why is for the access log: what of the connection decided ("sni=example.org",
	// "silent for 3s"), or what was wrong with it. It is one line of printable text.
	Why string

	// Strip is how many bytes at the front are for the forwarder alone.
	Strip int
}

// Input is what the client has sent so far.
type Input struct {
	Bytes []byte // after the PROXY header
	End   End
	// Waited is how long the client was waited for, for Why.
	Waited time.Duration
	// Now is the time that tokens are judged at, now if it is zero.
	Now time.Time
}
