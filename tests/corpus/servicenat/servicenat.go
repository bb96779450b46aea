// Package servicenat gives the processes of a cgroup virtual services: a connection
// to a service's address goes to one of its backends. It happens when the process
// connects, so packets need no rewriting.
package servicenat

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
)

// Service is an address that processes connect to.
type Service struct {
	IP   bpf.BE32
	Port uint16
	_    [2]byte
}

// slot is a backend's place in a service.
type slot struct {
	Service Service
	Index   uint32
}

// Backend is where connections go.
type Backend struct {
	IP   bpf.BE32
	Port uint16
	_    [2]byte
}

var (
	// Services holds the number of backends of each service.
	Services = bpf.Hash[Service, uint32]{MaxEntries: 256}
	// Backends holds the backends, numbered from 0.
	Backends = bpf.Hash[slot, Backend]{MaxEntries: 4096}
)

// Connect sends a connection to a random backend.
//
//bpf:cgroup/connect4
func Connect(ctx *cgroup.SockAddrContext) cgroup.Verdict {
	s := Service{IP: ctx.UserIP4, Port: ctx.Port()}
	n := Services.Lookup(s)
	if n == nil || *n == 0 {
		return cgroup.Allow
	}
	b := Backends.Lookup(slot{Service: s, Index: bpf.GetPrandomU32() % *n})
	if b == nil {
		return cgroup.Deny
	}
	ctx.UserIP4 = b.IP
	ctx.SetPort(b.Port)
	return cgroup.Allow
}
