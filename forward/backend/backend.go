// Package backend keeps groups of backends: it knows which of them are up, picks one
// for a connection and dials it.
//
//	g, err := backend.New(backend.Config{
//		Name:    "web",
//		Targets: []backend.Target{{Address: "10.0.0.1:80"}, {Address: "web.internal:80"}},
//		Policy:  backend.LeastConnections,
//		Check:   &backend.Check{Probe: backend.HTTP{Path: "/healthz"}},
//	}, nil)
//	...
//	conn, b, err := g.Dial(ctx, backend.Key{Source: client})
//	if err != nil {
//		return err // says which backends were tried, and what each said
//	}
//	defer b.Release()
//
// A group dials another backend when one doesn't answer, which is right only because
// no byte of the client has been written yet. What happens to a connection after Dial
// is none of its business.
package backend

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// Backend is one address of a target. It stays the same while names are resolved
// again and configurations are loaded, as long as the address is in use.
type Backend struct {
	target string
	addr   netip.AddrPort

	active atomic.Int64
	dials  atomic.Uint64
	failed atomic.Uint64
}

// Target is the address as it was configured, which may be a name: "web.internal:80".
func (b *Backend) Target() string { return b.target }

// Addr is the address that is dialled.
func (b *Backend) Addr() netip.AddrPort { return b.addr }

// Active is the number of connections in use: dialled or adopted, not yet released.
func (b *Backend) Active() int64 { return b.active.Load() }

// Release says that a connection which Dial or Adopt counted has ended. It is called
// once for each of them.
func (b *Backend) Release() { b.active.Add(-1) }

// String is the target, with the address behind it if that is another.
func (b *Backend) String() string {
	if addr := b.addr.String(); addr != b.target {
		return b.target + " (" + addr + ")"
	}
	return b.target
}

// State is what a group thinks of a backend.
type State string

// The states of a backend. Connections go to those that are up.
const (
	Up         State = "up"
	Down       State = "down"       // the health check says so
	Ejected    State = "ejected"    // several dials in a row went wrong; it is tried again after some time
	Unresolved State = "unresolved" // the name has no address
	Loop       State = "loop"       // it is a listener of this process
)

// Status is the state of a backend at a moment.
type Status struct {
	Group   string         `json:"group"`
	Target  string         `json:"target"`
	Addr    netip.AddrPort `json:"addr,omitzero"` // invalid if the name has none
	Weight  int            `json:"weight"`
	State   State          `json:"state"`
	Since   time.Time      `json:"since"`             // when it came into that state
	Why     string         `json:"why,omitempty"`     // the last thing that spoke against it
	Until   time.Time      `json:"until,omitzero"`    // when an ejection ends
	Active  int64          `json:"active"`            // connections in use
	Dials   uint64         `json:"dials"`             // attempts
	Failed  uint64         `json:"failed"`            // attempts that ended in an error the backend has to do with
	Checks  uint64         `json:"checks"`            // health checks
	Latency time.Duration  `json:"check_ns,omitzero"` // how long the last one took
}
