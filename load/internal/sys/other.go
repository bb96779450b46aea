//go:build !linux

package sys

import (
	"sync/atomic"
	"syscall"
	"time"
)

// InNetNS runs f, but only in the calling thread's namespace.
func InNetNS(path string, f func() error) error {
	if path != "" {
		return ErrUnsupported
	}
	return f()
}

// Ring cannot be made here.
type Ring struct {
	Consumer, Producer *atomic.Uint64
	Data               []byte
}

// MapRing fails.
func MapRing(fd, size int) (*Ring, error) { return nil, ErrUnsupported }

// Close does nothing.
func (*Ring) Close() error { return nil }

// Waiter cannot be made here.
type Waiter struct{}

// NewWaiter fails.
func NewWaiter(target int) (*Waiter, error) { return nil, ErrUnsupported }

// Wait fails.
func (*Waiter) Wait(time.Duration) (bool, error) { return false, ErrUnsupported }

// Wake does nothing.
func (*Waiter) Wake() {}

// Close does nothing.
func (*Waiter) Close() error { return nil }

// Event cannot be made here.
type Event struct{}

// OpenPerfEvent fails.
func OpenPerfEvent(PerfEvent) (*Event, error) { return nil, ErrUnsupported }

// FD is no descriptor.
func (*Event) FD() int { return -1 }

// Close does nothing.
func (*Event) Close() error { return nil }

// OnlineCPUs fails.
func OnlineCPUs() ([]int, error) { return nil, ErrUnsupported }

// PacketSocket cannot be made here.
type PacketSocket struct{}

// OpenPacketSocket fails.
func OpenPacketSocket(index int) (*PacketSocket, error) { return nil, ErrUnsupported }

// SyscallConn fails.
func (*PacketSocket) SyscallConn() (syscall.RawConn, error) { return nil, ErrUnsupported }

// Close does nothing.
func (*PacketSocket) Close() error { return nil }

// AttachReuseport fails.
func AttachReuseport(conn syscall.Conn, prog int) error { return ErrUnsupported }

// DetachReuseport fails.
func DetachReuseport(conn syscall.Conn) error { return ErrUnsupported }
