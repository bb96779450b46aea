// Package accesslog writes one line for each connection: who it was, where it went and
// why, how much it moved, how it ended and what moved it.
//
// Writing a record never waits for the disk. Lines go through buffers of a fixed number
// and size; when the disk is slower than the connections, lines are lost, and the log
// itself says how many. A record costs half a microsecond of processor time, the writing
// included, and no allocation (BenchmarkWrite).
package accesslog

import (
	"net/netip"
	"time"
)

// Record is a connection that has ended, or was refused.
type Record struct {
	Start    time.Time // when it was accepted
	Duration time.Duration

	Client   netip.AddrPort // who connected
	Source   netip.AddrPort // who that is according to its PROXY header, if it sent one
	Listener string         // the listener's name

	Route   string // the route's name, "" if none was chosen
	Why     string // what decided for it: "sni api.example.com"
	Name    string // the name the client asked for (SNI, Host), if it did
	Backend string // the backend's address; for a refused connection the last that was tried

	Up, Down uint64 // bytes from the client to the backend, and back

	Close     string // why it ended: an engine.Cause
	Err       string // the error behind that, if there was one
	Engine    string // what moved the bytes at the end
	EngineWhy string // why it was that
	Refused   string // why it was not forwarded; "" if it was
}
