package backend

import (
	"net/netip"
	"os"
	"syscall"
)

// beginConnect connects a non-blocking socket and returns an error that is known at
// once.
func beginConnect(fd int, to netip.AddrPort) error {
	var sa syscall.Sockaddr
	if a := to.Addr(); a.Is4() {
		sa = &syscall.SockaddrInet4{Addr: a.As4(), Port: int(to.Port())}
	} else if a.Zone() == "" {
		sa = &syscall.SockaddrInet6{Addr: a.As16(), Port: int(to.Port())}
	} else {
		return nil // the dialer finds the zone's index
	}
	switch err := syscall.Connect(fd, sa); err {
	case nil, syscall.EINPROGRESS, syscall.EALREADY, syscall.EISCONN, syscall.EINTR:
		return nil
	default:
		return os.NewSyscallError("connect", err)
	}
}
