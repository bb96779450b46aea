package httpwatch

import (
	"errors"
	"time"
)

// Options say what to watch.
type Options struct {
	// Interfaces are the names of the network interfaces to watch; none means
	// all that are up and carry IP, loopback included, also those that come up
	// later.
	Interfaces []string
	// Port, if not 0, is the only server port to watch.
	Port uint16
	// Sink takes the requests. It must not be nil.
	Sink Sink
	// RingBytes is the size of the buffer between the kernel and user space,
	// rounded up to a power of two. 16 MiB if 0.
	RingBytes int
	// MaxConnections is how many connections are followed at a time, after which
	// the one that has been silent for longest is forgotten. 65,536 if 0. A
	// connection takes about half a kilobyte here and twice 120 bytes in the
	// kernel.
	MaxConnections int
	// Latency is about how long a request may wait to be written, for others to
	// come along. 50 ms if 0.
	Latency time.Duration
	// Started, if not nil, is called once watching has begun, with the names of
	// the interfaces.
	Started func(interfaces []string)
	// Warn, if not nil, is told of interfaces that could not be watched, if they
	// were not named.
	Warn func(error)
}

const (
	defaultRing        = 16 << 20
	defaultConnections = 1 << 16
	defaultLatency     = 50 * time.Millisecond
)

func (o Options) withDefaults() (Options, error) {
	if o.Sink == nil {
		return o, errors.New("watch http: no sink")
	}
	if o.RingBytes <= 0 {
		o.RingBytes = defaultRing
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = defaultConnections
	}
	if o.Latency <= 0 {
		o.Latency = defaultLatency
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	return o, nil
}

// ErrNoInterface is in the error of Run for an interface that does not exist or
// carries no IP packets.
var ErrNoInterface = errors.New("no such interface")
