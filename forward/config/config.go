// Package config reads and checks the configuration of a forwarder.
//
// What Load returns is complete: groups are resolved to what they name, defaults are
// filled in, and nothing in it can be wrong but what only running it shows. All that is
// wrong with a file is reported at once, each with its line and column.
//
// The keys of a file, with what they may be and what they mean, are the tables of
// fields in this package; docs/forward.md is made of them.
package config

import (
	"io"
	"net/netip"
	"time"

	"github.com/waggle-bpf/waggle/forward/accesslog"
	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/head"
	"github.com/waggle-bpf/waggle/forward/proxy"
	"github.com/waggle-bpf/waggle/forward/route"
)

// Config is the configuration of a forwarder.
type Config struct {
	Listeners []*Listener
	Groups    []*Group

	Timeouts Timeouts
	Limits   Limits

	AccessLog *AccessLog // nil for none
	Metrics   string     // HOST:PORT to serve Prometheus metrics at; "" for none

	// Drain is how long connections may go on when the forwarder is told to end;
	// negative for as long as they like.
	Drain time.Duration
	// Persist keeps spliced connections alive when the forwarder ends or crashes.
	Persist bool
}

// Listener is where connections come in.
type Listener struct {
	Name    string
	Address netip.AddrPort // unspecified for all addresses of the machine, [::] for IPv4 too
	Engine  string         // one of Engines

	// Proxy says whose PROXY headers are believed.
	Proxy proxy.Policy

	// Routes say where connections go, and Table is the same, compiled; it is nil if
	// there are none.
	Routes []route.Rule
	Table  *route.Table
	// Default is where connections go that no route takes; nil refuses them.
	Default *Group
}

// Group is a group of backends and how they are spoken to. Own and OnChange of its
// configuration are left to whoever runs it.
type Group struct {
	backend.Config
	SendProxy ProxyOut // the PROXY header that backends get
	// CheckProxy is the PROXY header that begins health checks, if there are any. It
	// says that the forwarder speaks for itself.
	CheckProxy ProxyOut
}

// ProxyOut is a version of the PROXY protocol.
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

// Limits bound what clients can take.
type Limits struct {
	Connections  int // all listeners together; 0 for as many as file descriptors allow
	PerSource    int // connections of one client address (IPv6: of one /64), which a believed PROXY header tells; 0 for any number
	HeaderBytes  int // what is read of a client to find out where it goes
	ReserveFiles int // file descriptors that no connection may take
}

// AccessLog says where the access log goes.
type AccessLog struct {
	Path   string // "-" is standard output
	Format accesslog.Format
}

// Config returns what accesslog.Open wants.
func (a *AccessLog) Config(stdout io.Writer, onError func(error)) accesslog.Config {
	c := accesslog.Config{Path: a.Path, Format: a.Format, OnError: onError}
	if a.Path == "-" {
		c.Path, c.Output = "", stdout
	}
	return c
}

// Engines are the names of the engines, and "auto", which takes the best one for each
// connection.
var Engines = []string{"auto", "packet", "splice", "sockmap", "uring", "copy"}

// Default returns the configuration of an empty file, which lacks a listener.
func Default() *Config {
	return &Config{
		Timeouts: Timeouts{Header: 5 * time.Second, Idle: 24 * time.Hour, HalfClose: time.Hour},
		Limits:   Limits{HeaderBytes: head.DefaultMax, ReserveFiles: 64},
		Drain:    30 * time.Second,
		Persist:  true,
	}
}
