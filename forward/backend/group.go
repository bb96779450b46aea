package backend

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// What a Config has where it says nothing.
const (
	DefaultConnectTimeout = 5 * time.Second
	DefaultAttempts       = 3
	DefaultResolveTTL     = 30 * time.Second
	DefaultEjectAfter     = 5
	DefaultEjectFor       = 1 * time.Second
	DefaultEjectMax       = 60 * time.Second
	DefaultCheckInterval  = 5 * time.Second
	DefaultCheckTimeout   = 2 * time.Second
	DefaultRise           = 2
	DefaultFall           = 3

	// MaxWeight is the largest weight of a target.
	MaxWeight = 256
)

// Config is what a group is made of. Zero values stand for the defaults above.
type Config struct {
	Name    string
	Targets []Target
	Policy  Policy

	// ConnectTimeout is how long one attempt may take, Attempts how many
	// different backends a connection may try.
	ConnectTimeout time.Duration
	Attempts       int

	// Check is the active health check, nil for none.
	Check *Check
	// Eject is the passive one: what dials that go wrong lead to.
	Eject Eject

	// ResolveTTL is how long a name's addresses are believed.
	ResolveTTL time.Duration
	// Resolve looks up a name; nil asks the system.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)

	// Control sets socket options before connect, on the sockets of connections
	// and health checks.
	Control Control
	// Own are the listeners of this process, which a group refuses to dial; nil
	// for none.
	Own *Listeners

	// OnChange is told of every change of a backend's state, in order, and must
	// not block. It may be nil.
	OnChange func(Status)
}

// Target is where a group's connections go, as it is configured. A name stands for
// all its addresses; each of them is a backend with the target's weight.
type Target struct {
	Address string // HOST:PORT
	Weight  int    // connections compared with other targets, 1 to MaxWeight; 0 is 1
}

// Control sets options of a socket before it connects to an address.
type Control func(fd int, to netip.AddrPort) error

// Eject says when dials that go wrong take a backend out, and for how long: For the
// first time, double each further time without a connection in between, up to Max. A
// group's last backend is never ejected, because that would help nobody.
type Eject struct {
	After    int // dials in a row; negative never ejects
	For, Max time.Duration
}

// Policy says which of its backends a group gives a connection.
type Policy int

// The policies.
const (
	RoundRobin       Policy = iota // each in turn, as often as its weight says
	LeastConnections               // the one with the fewest connections for its weight
	HashSource                     // always the same for a client's address
	HashName                       // always the same for the name the client asks for
)

var policies = []string{"round-robin", "least-connections", "hash-source", "hash-name"}

// Policies are the names of the policies.
func Policies() []string { return append([]string(nil), policies...) }

func (p Policy) String() string {
	if p >= 0 && int(p) < len(policies) {
		return policies[p]
	}
	return fmt.Sprintf("Policy(%d)", int(p))
}

// ParsePolicy returns the policy of that name.
func ParsePolicy(name string) (Policy, error) {
	for i, n := range policies {
		if n == name {
			return Policy(i), nil
		}
	}
	return 0, fmt.Errorf("no policy %q; there are %s", name, strings.Join(policies, ", "))
}

// Key is what the hash policies go by.
type Key struct {
	Source netip.Addr // the client's address
	Name   string     // the name it asks for; without one, HashName goes by Source
}

// Check is an active health check: connect, probe, close, in every interval.
type Check struct {
	Probe    Probe // nil is TCP
	Port     uint16
	Interval time.Duration
	Timeout  time.Duration // for connect and probe together
	Rise     int           // good checks in a row until a backend that is down is up
	Fall     int           // bad checks in a row until a backend that is up is down
}

// Probe looks whether a backend is well.
type Probe interface {
	// Probe talks to a backend over a connection that has a deadline and is
	// closed afterwards. The error says what is wrong.
	Probe(conn net.Conn) error
	// Name is one word for status and metrics.
	Name() string
}

// TCP is the probe that is content with a connection.
type TCP struct{}

// HTTP is the probe that asks for a page.
type HTTP struct {
	Method string        // GET if empty
	Path   string        // "/" if empty
	Host   string        // the Host header; the backend's address if empty
	Status []StatusRange // good status codes; 200 to 399 if empty
}

// StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ From, To int }

// Expect is the probe that sends bytes, if there are any, and waits for others.
type Expect struct {
	Send   []byte
	Expect []byte // what the answer begins with
}

// Unavailable is why a group has no backend to dial at all.
type Unavailable struct {
	Group string
	Down  []Status
}

// DialError is why none of the backends that were tried gave a connection.
type DialError struct {
	Group    string
	Attempts []Attempt // in order, at least one
}

// Attempt is one dial that went wrong.
type Attempt struct {
	Backend *Backend
	Err     error
}
