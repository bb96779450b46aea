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
//
// # What a dial costs
//
// Nearly all of it is the kernel's. Dial and close on loopback, the two together, took
// this much processor time (Linux 6.18, a virtual machine with two processors, both
// ends' packets included; the smallest of five runs of 20,000, 32 at a time):
//
//	socket, connect, close, no Go connection around it   31 us
//	net.Dialer without a timeout                         37 us
//	what is done here, with a timeout                    39 us
//	net.Dialer with a timeout                            44 us
//	the first, handed over with net.FileConn             44 us
//
// The third also takes less time from beginning to end, because the goroutine is not put
// to sleep: 50 us against 69 of a net.Dialer with a timeout, and 61 against 143 when the
// processors had other work. See connect for how.
package backend

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// Backend is one address of a target. It stays the same while a name is resolved again,
// as long as that has the address.
type Backend struct {
	of     *target
	target string
	addr   netip.AddrPort
	weight int
	seed   uint64 // the address, for the hash policies
	dialer dialer
	count  *counters

	// suspect is set while there is something a good dial has to forgive.
	suspect atomic.Bool
	health  health // guarded by the group's mutex
}

// counters are what a backend has in common with its successor in a newly loaded
// configuration.
type counters struct {
	active atomic.Int64
	dials  atomic.Uint64
	failed atomic.Uint64
	checks atomic.Uint64
}

// Target is the address as it was configured, which may be a name: "web.internal:80".
func (b *Backend) Target() string { return b.target }

// Addr is the address that is dialled.
func (b *Backend) Addr() netip.AddrPort { return b.addr }

// Active is the number of connections in use: dialled or adopted, not yet released.
func (b *Backend) Active() int64 { return b.count.active.Load() }

// Release says that a connection which Dial or Adopt counted has ended. It is called
// once for each of them.
func (b *Backend) Release() { b.count.active.Add(-1) }

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
	Group  string         `json:"group"`
	Target string         `json:"target"`
	Addr   netip.AddrPort `json:"addr,omitzero"` // invalid if the name has none
	Weight int            `json:"weight"`
	State  State          `json:"state"`
	Since  time.Time      `json:"since"`          // when it came into that state
	Why    string         `json:"why,omitempty"`  // what speaks against it
	Until  time.Time      `json:"until,omitzero"` // when an ejection ends

	Active  int64         `json:"active"`              // connections in use
	Dials   uint64        `json:"dials"`               // attempts
	Failed  uint64        `json:"failed"`              // attempts that went wrong
	Checks  uint64        `json:"checks"`              // health checks
	Latency time.Duration `json:"check_time,omitzero"` // how long the last one took
}
