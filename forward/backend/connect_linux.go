package backend

import (
	"net/netip"
	"os"
	"syscall"

	"github.com/waggle-bpf/waggle/forward/rawio"
)

// beginConnect connects a non-blocking socket and returns an error that is known at
// once.
func beginConnect(fd int, to netip.AddrPort) error {
	if to.Addr().Zone() != "" {
		return nil // the dialer finds the zone's index
	}
	switch err := rawio.Connect(fd, to); err {
	case nil, syscall.EINPROGRESS, syscall.EALREADY, syscall.EISCONN, syscall.EINTR:
		return nil
	default:
		return os.NewSyscallError("connect", err)
	}
}
