// Package control is how others talk to a running waggle idle: a Unix socket that only
// its user may open, one JSON object a line in either direction.
//
//	{"do": "why"}                                       answered by {"report": ...}
//	{"do": "hold", "reason": "backup", "ttl": 7200e9}   answered by {"hold": ...}
//	{"do": "release", "id": 1}                          answered by {}
//
// and whatever can't be done is answered by {"error": ...}.
package control

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/waggle-bpf/waggle/idle/policy"
	"github.com/waggle-bpf/waggle/internal/controlsock"
)

// Report explains what a service is waiting for.
type Report struct {
	PID     int       `json:"pid"`               // of waggle idle
	Command []string  `json:"command,omitempty"` // none if what runs already is watched
	Started time.Time `json:"started"`
	Now     time.Time `json:"now"`

	// Watcher is how connections are watched, Where which, and Why it is this one.
	Watcher string `json:"watcher"`
	Where   string `json:"where"`
	Why     string `json:"why"`

	// State is busy, idle, frozen or stopping, StopAt when the service is stopped if
	// nothing comes, and Action what is done then.
	State  string    `json:"state"`
	StopAt time.Time `json:"stop_at,omitzero"`
	Action string    `json:"action"`

	Signals []policy.Signal `json:"signals"`
}

// Hold is a promise to stay up.
type Hold struct {
	ID    int       `json:"id"`
	Until time.Time `json:"until"`
}

// request is what a client asks for.
type request struct {
	Do     string        `json:"do"`
	Reason string        `json:"reason,omitempty"`
	TTL    time.Duration `json:"ttl,omitempty"`
	ID     int           `json:"id,omitempty"`
}

// response is an answer.
type response struct {
	Error  string  `json:"error,omitempty"`
	Report *Report `json:"report,omitempty"`
	Hold   *Hold   `json:"hold,omitempty"`
}

// DefaultPath is where the socket is unless told otherwise: one for each user.
func DefaultPath() string { return filepath.Join(controlsock.DefaultDir(), "idle.sock") }

// The bounds of what clients may ask for.
const (
	MaxTTL    = 7 * 24 * time.Hour
	MaxReason = 200 // bytes
)

// checkHold tells what is wrong with a hold.
func checkHold(reason string, ttl time.Duration) error {
	switch {
	case reason == "":
		return fmt.Errorf("hold: give a reason; whoever asks why will read it")
	case len(reason) > MaxReason:
		return fmt.Errorf("hold: the reason has %d bytes; %d is the most", len(reason), MaxReason)
	case ttl <= 0 || ttl > MaxTTL:
		return fmt.Errorf("hold: %v is not between 0 and %v", ttl, MaxTTL)
	}
	return nil
}
