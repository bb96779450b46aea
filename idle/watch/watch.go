// Package watch is what the ways of watching a service's connections have in common:
// whoever opens and closes one is told of as an [Event], in the same words whether
// the kernel told of it ([sockops]), somebody looked ([procfs]) or the connection
// went through our own hands ([proxy]).
//
// A connection is open as long as the kernel has a socket of the service for it: also
// after the service has closed it, until the client has got all that was sent.
// What waits in TIME_WAIT is closed.
//
// [sockops]: https://pkg.go.dev/github.com/waggle-bpf/waggle/idle/watch/sockops
// [procfs]: https://pkg.go.dev/github.com/waggle-bpf/waggle/idle/watch/procfs
// [proxy]: https://pkg.go.dev/github.com/waggle-bpf/waggle/idle/watch/proxy
package watch

import (
	"context"
	"net/netip"
	"time"
)

// Conn is a connection of a client to the service.
type Conn struct {
	ID     uint64         // tells the connections of one watcher apart
	Client netip.AddrPort // IPv4 as such, never mapped into IPv6
	Port   uint16         // what the client has connected to
	Opened time.Time
	// Found says that the connection was there before: Opened is when it was found.
	Found bool
}

// Bytes is the payload that a connection has moved.
type Bytes struct {
	In, Out uint64 // from and to the client; what is on its way doesn't count
	Known   bool   // In and Out are right; not every watcher can tell
}

// Total is the bytes of both directions.
func (b Bytes) Total() uint64 { return b.In + b.Out }

// Kind is what an event tells of.
type Kind int

// The kinds. Each connection is opened once and then closed once; one that is refused
// is neither.
const (
	Opened Kind = iota
	Closed
	Refused
)

// Event is something that happened to a connection.
type Event struct {
	Kind Kind
	Conn
	Time  time.Time // when
	Bytes Bytes     // of a closed connection
	Why   string    // of a refused one
}

// Watcher watches.
type Watcher interface {
	// Name is how users call the way of watching, Where what is watched: both for
	// people.
	Name() string
	Where() string
	// Run gives the events to sink, one after the other, until ctx is done, which
	// is no error. It begins with the connections that there are. It is called once.
	Run(ctx context.Context, sink func(Event)) error
	// Moved tells what the open connections have moved so far, as far as that is
	// known. It may be called while Run runs.
	Moved(each func(id uint64, b Bytes)) error
	// Settle makes sure, before something is decided that can't be taken back, that sink
	// has been told of the connections there are. It may be called while Run runs.
	Settle(ctx context.Context) error
	// Close gives everything back. Run has ended by then.
	Close() error
}
