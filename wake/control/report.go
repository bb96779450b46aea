// Package control is how others ask a running waggle wake what it does: a Unix socket
// that only its user may open, one JSON object a line in either direction.
//
//	{"do": "report"}   answered by {"report": ...}
//
// and whatever can't be done is answered by {"error": ...}. There may be many of them
// on a machine, one in front of each service; unless told otherwise, each has its socket
// in the same directory, where AskAll finds it.
package control

import (
	"net/netip"
	"time"
)

// Report is what a waggle wake does at a moment.
type Report struct {
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Now     time.Time `json:"now"`

	Listen []netip.AddrPort `json:"listen"`
	Target

	// State is stopped, starting, ready, draining or stopping, Since when it is that.
	State string    `json:"state"`
	Since time.Time `json:"since"`
	// StopAt is when the target is stopped if nobody comes, RetryAt when one that
	// failed is tried again at the earliest.
	StopAt  time.Time `json:"stop_at,omitzero"`
	RetryAt time.Time `json:"retry_at,omitzero"`

	// Held is how many clients wait, Waiting those of them who came first, and
	// Connected how many there are that the target has, or will have in a moment.
	Held      int      `json:"held"`
	Waiting   []Client `json:"waiting"`
	Connected int      `json:"connected"`

	LastStart Start   `json:"last_start,omitzero"`
	LastError Problem `json:"last_error,omitzero"`
	Counts    Counts  `json:"counts"`
}

// Target says what is started and stopped, in the words of its user.
type Target struct {
	To    string `json:"to"`
	Start string `json:"start"`
	Stop  string `json:"stop,omitempty"` // what start names if it is empty
	Ready string `json:"ready"`
}

// MaxWaiting is how many clients a report lists.
const MaxWaiting = 100

// Client is a client that waits.
type Client struct {
	Source netip.AddrPort `json:"source"`
	Since  time.Time      `json:"since"`
}

// Start is the last time that the target was started and got ready.
type Start struct {
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"` // until it was ready
}

// Problem is what went wrong last.
type Problem struct {
	At    time.Time `json:"at"`
	Error string    `json:"error"`
}

// Counts is what has happened since the beginning.
type Counts struct {
	Clients   uint64            `json:"clients"`           // who came
	Forwarded uint64            `json:"forwarded"`         // of them, with the target connected
	Left      uint64            `json:"left"`              // while they were held
	Refused   map[string]uint64 `json:"refused,omitempty"` // turned away, by reason

	Starts        uint64 `json:"starts"`
	StartFailures uint64 `json:"start_failures"`
	Stops         uint64 `json:"stops"`
	StopFailures  uint64 `json:"stop_failures"`
	Lost          uint64 `json:"lost"` // was ready, and was not there any more
}
