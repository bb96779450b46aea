package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
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
func Policies() []string { return slices.Clone(policies) }

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
	Probe    Probe  // nil is TCP
	Greeting []byte // what backends want to get first, such as a PROXY header
	Port     uint16 // 0 is the backend's own
	Interval time.Duration
	Timeout  time.Duration // for connect and probe together
	Rise     int           // good checks in a row until a backend that is down is up
	Fall     int           // bad checks in a row until a backend that is up is down
}

// complete returns the configuration with defaults filled in.
func (c Config) complete() Config {
	setDefault(&c.ConnectTimeout, DefaultConnectTimeout)
	setDefault(&c.Attempts, DefaultAttempts)
	setDefault(&c.ResolveTTL, DefaultResolveTTL)
	setDefault(&c.Eject.After, DefaultEjectAfter)
	setDefault(&c.Eject.For, DefaultEjectFor)
	setDefault(&c.Eject.Max, max(DefaultEjectMax, c.Eject.For))
	if c.Resolve == nil {
		c.Resolve = lookup
	}
	if c.Check == nil {
		return c
	}
	check := *c.Check
	setDefault(&check.Interval, DefaultCheckInterval)
	setDefault(&check.Timeout, DefaultCheckTimeout)
	setDefault(&check.Rise, DefaultRise)
	setDefault(&check.Fall, DefaultFall)
	if check.Probe == nil {
		check.Probe = TCP{}
	}
	c.Check = &check
	return c
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// validate finds what no group can be made of.
func (c Config) validate() error {
	if len(c.Targets) == 0 {
		return errors.New("it has no backends")
	}
	seen := make(map[string]bool)
	for _, t := range c.Targets {
		if _, _, err := SplitAddress(t.Address); err != nil {
			return err
		}
		if t.Weight < 0 || t.Weight > MaxWeight {
			return fmt.Errorf("weight %d of backend %s is not between 1 and %d", t.Weight, t.Address, MaxWeight)
		}
		if seen[t.Address] {
			return fmt.Errorf("backend %s is there twice", t.Address)
		}
		seen[t.Address] = true
	}
	return nil
}

// SplitAddress splits the address of a target, HOST:PORT. An IPv6 address is in square
// brackets.
func SplitAddress(address string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("address %q is not HOST:PORT", address)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	switch {
	case err != nil || n == 0:
		return "", 0, fmt.Errorf("port %q of address %q is not a number between 1 and 65535", text, address)
	case host == "":
		return "", 0, fmt.Errorf("address %q has no host", address)
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsMulticast() {
		return "", 0, fmt.Errorf("address %q is a multicast address", address)
	}
	return host, uint16(n), nil
}
