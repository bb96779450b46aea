package bpf

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// SockState is the TCP state of a socket. Package sk has the constants.
type SockState uint32

var sockStateNames = [...]string{
	1: "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
	"CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV",
}

// String names the state as ss(8) and the kernel do: ESTABLISHED. It exists
// outside the kernel only.
func (s SockState) String() string {
	if s == 0 || int(s) >= len(sockStateNames) {
		return "UNKNOWN"
	}
	return sockStateNames[s]
}

// Full returns s as a full socket, whose fields can all be read; nil if it is
// something less, such as a connection request.
//
//bpf:helper sk_fullsock(s)
func (s *Sock) Full() *Sock {
	sim.Current("Sock.Full")
	return s
}

// TCP returns the TCP state of a socket; nil if it is no TCP socket, or less than
// a full one. The state is the kernel's own, not a copy: it can be read, under a
// SpinLock too, until the socket is given back with Release, and unless the
// program runs for the socket itself, other CPUs may change it meanwhile. Needs
// Linux 5.1.
//
//bpf:helper tcp_sock(s)
func (s *Sock) TCP() *TCPSock {
	return (*TCPSock)(sim.Current("Sock.TCP").TCPState(unsafe.Pointer(s)))
}

// Listener returns the listening socket that a connection came from; nil if
// there is none.
//
//bpf:helper get_listener_sock(s)
func (s *Sock) Listener() *Sock {
	sim.Unsupported("Sock.Listener")
	return nil
}

// Release gives back a socket that a look-up function returned. Every way out
// of a program must do so; on a fault it happens by itself.
//
//bpf:helper sk_release(s)
func (s *Sock) Release() Errno {
	sim.Current("Sock.Release")
	return OK
}

// SkStorage is a value kept with every socket, and freed with it.
type SkStorage[V any] struct {
	MaxEntries uint32 // must be 0
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Get returns the socket's value, nil if it has none yet.
//
//bpf:helper sk_storage_get(m, s, 0, 0)
func (m *SkStorage[V]) Get(s *Sock) *V {
	t := sim.Open[V](unsafe.Pointer(m), "SkStorage.Get", sim.Hash, sim.Unbounded)
	return (*V)(t.Lookup(sim.BytesOf(&s)))
}

// GetOrCreate returns the socket's value, making a zero one if it has none. It
// is nil only if memory is short.
//
//bpf:helper sk_storage_get(m, s, 0, 1)
func (m *SkStorage[V]) GetOrCreate(s *Sock) *V {
	t := sim.Open[V](unsafe.Pointer(m), "SkStorage.GetOrCreate", sim.Hash, sim.Unbounded)
	t.Update(sim.BytesOf(&s), unsafe.Pointer(new(V)), uint64(NoExist))
	return (*V)(t.Lookup(sim.BytesOf(&s)))
}

// Delete removes the socket's value; ENOENT if it has none.
//
//bpf:helper sk_storage_delete(m, s)
func (m *SkStorage[V]) Delete(s *Sock) Errno {
	t := sim.Open[V](unsafe.Pointer(m), "SkStorage.Delete", sim.Hash, sim.Unbounded)
	return Errno(t.Delete(sim.BytesOf(&s)))
}
