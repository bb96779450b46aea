// Package admin is how others talk to a running forwarder: a Unix socket that only its
// user may open, one JSON object a line in either direction. The requests are
//
//	{"do": "status", "connections": 100}   answered by {"status": ...}; see forward.Status
//	{"do": "upgrade"}                      start the program again and let it take over
//	{"do": "takeover"}                     the listeners, which follow as file descriptors
//	{"do": "ready"}                        whoever took over serves; end
//
// and whatever can't be done is answered by {"error": ...}.
package admin

import (
	"path/filepath"

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/internal/controlsock"
)

// request is what a client asks for.
type request struct {
	Do          string `json:"do"`
	Connections int    `json:"connections,omitempty"` // how many to list; negative is all
}

// response is an answer.
type response struct {
	Error     string          `json:"error,omitempty"`
	Status    *forward.Status `json:"status,omitempty"`
	PID       int             `json:"pid,omitempty"`
	Listeners int             `json:"listeners,omitempty"`
}

// DefaultPath is where the socket is unless told otherwise: one for each user.
func DefaultPath() string { return filepath.Join(controlsock.DefaultDir(), "forward.sock") }
