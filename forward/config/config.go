// Package config reads and checks the configuration of a forwarder.
//
// What it returns is complete: names are resolved to what they name, defaults are
// filled in, and nothing in it can be wrong but what only running it shows. All that is
// wrong with a file is reported at once, each with its line and column.
package config

import (
	"net/netip"
	"time"

	"github.com/waggle-bpf/waggle/forward/accesslog"
	"github.com/waggle-bpf/waggle/forward/backend"
)

// Config is the configuration of a forwarder.
type Config struct {
	Listeners []*Listener
	Groups    []*Group

	Timeouts Timeouts
	Limits   Limits

	AccessLog *AccessLog // nil for none
	Metrics   string     // HOST:PORT to serve Prometheus metrics at; "" for none

	// Drain is how long connections may go on when the forwarder is told to end.
	Drain time.Duration
	// Persist keeps spliced connections alive when the forwarder ends or crashes.
	Persist bool
}

// Listener is where connections come in.
type Listener struct {
	Name    string
	Address netip.AddrPort // unspecified for all addresses of the machine
	Engine  string         // one of Engines
	Proxy   Proxy

	// Default is where connections go that no route takes; nil refuses them.
	Default *Group
}

// Proxy says whose PROXY headers a listener believes: clients in From must send one,
// all others must not.
type Proxy struct {
	From []netip.Prefix
}

// Group is a group of backends and how they are spoken to.
type Group struct {
	backend.Config          // without Control, Own and OnChange
	SendProxy      ProxyOut // the PROXY header backends get
}

// ProxyOut is a version of the PROXY protocol, 0 for none.
type ProxyOut int

// The versions.
const (
	NoProxy ProxyOut = 0
	ProxyV1 ProxyOut = 1
	ProxyV2 ProxyOut = 2
)

// Timeouts end connections. Zero is none.
type Timeouts struct {
	Header    time.Duration // from accept until it is clear where the connection goes
	Idle      time.Duration // without a byte in either direction
	Lifetime  time.Duration // from accept
	HalfClose time.Duration // from the end of one direction to that of the other
}

// Limits bound what clients can take. Zero is none, except for HeaderBytes.
type Limits struct {
	Connections  int // all listeners together
	PerSource    int // connections of one client address (IPv6: of one /64)
	HeaderBytes  int // what is read of a client to find out where it goes
	ReserveFiles int // file descriptors that no connection may take
}

// AccessLog says where the access log goes.
type AccessLog struct {
	Path   string // "-" is standard output
	Format accesslog.Format
}

// Engines are the names of the engines, and "auto", which takes the best one for each
// connection.
var Engines = []string{"auto", "packet", "splice", "sockmap", "uring", "copy"}
