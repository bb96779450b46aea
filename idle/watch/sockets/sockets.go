//go:build linux

// Package sockets lists the TCP sockets of a network namespace: by asking the kernel
// (sock_diag(7)), which can choose and count, or by reading /proc/net/tcp, which is
// there always. A [List] belongs to the network namespace it was opened in.
package sockets

import (
	"net/netip"
	"slices"

	"github.com/waggle-bpf/waggle/idle/watch"
)

// State is the TCP state of a socket, TCP_* in include/net/tcp_states.h.
type State uint8

// The states.
const (
	Established State = 1 + iota
	SynSent
	SynRecv
	FinWait1
	FinWait2
	TimeWait
	Close
	CloseWait
	LastAck
	Listen
	Closing
	NewSynRecv
)

// open are the states of connections that the service has not been through with.
const open = 1<<Established | 1<<FinWait1 | 1<<FinWait2 | 1<<CloseWait | 1<<LastAck | 1<<Closing

// Open tells whether a connection is open, as package watch understands it.
func (s State) Open() bool { return open&(1<<s) != 0 }

// Socket is a TCP socket. IPv4 addresses are never mapped.
type Socket struct {
	Local, Remote netip.AddrPort
	State         State
	Cookie        uint64 // 0 if not known
	Cgroup        uint64 // ID of the cgroup of who made it, 0 if not known
	Bytes         watch.Bytes
}

// Ports chooses sockets by their own port; all if there is none in it.
type Ports []uint16

// Has tells whether a port is chosen.
func (p Ports) Has(port uint16) bool { return len(p) == 0 || slices.Contains(p, port) }

// payload makes bytes of payload of the kernel's counters, which include the FINs.
func payload(s State, received, acked uint64) watch.Bytes {
	switch s {
	case CloseWait, LastAck, Closing:
		received--
	case FinWait2:
		acked--
	}
	return watch.Bytes{In: received, Out: acked, Known: true}
}
