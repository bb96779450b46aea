//go:build unix && !linux

package rawio

import (
	"net/netip"
	"syscall"
)

// Read reads into b, which is not empty.
func Read(fd int, b []byte) (int, error) {
	n, err := syscall.Read(fd, b)
	return max(n, 0), err
}

// Write writes b.
func Write(fd int, b []byte) (int, error) {
	n, err := syscall.Write(fd, b)
	return max(n, 0), err
}

// CloseWrite ends the stream that is written to a socket.
func CloseWrite(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_WR) }

// Closed would tell whether a connection is over; this system's way to ask is not known
// here.
func Closed(int) bool { return false }

// Connect begins to connect a socket to an address without a zone.
func Connect(fd int, to netip.AddrPort) error {
	if to.Addr().Is4() {
		return syscall.Connect(fd, &syscall.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	}
	return syscall.Connect(fd, &syscall.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())})
}
