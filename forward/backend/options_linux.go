package backend

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Mark sets the mark that routing rules and packet filters see (SO_MARK). It needs
// CAP_NET_ADMIN or CAP_NET_RAW.
func Mark(mark uint32) Control {
	return func(fd int, _ netip.AddrPort) error {
		return option("mark", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark)))
	}
}

// MaxSegment bounds the segments that the backend may send, in bytes (TCP_MAXSEG).
func MaxSegment(bytes int) Control {
	return func(fd int, _ netip.AddrPort) error {
		return option("segment size", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, bytes))
	}
}

// Device keeps connections to a network device, or to a VRF (SO_BINDTODEVICE).
func Device(name string) Control {
	return func(fd int, _ netip.AddrPort) error {
		return option("device "+name, unix.BindToDevice(fd, name))
	}
}

// From makes connections come from an address of this machine. The kernel picks the
// port when it knows where the connection goes, so that one port serves many backends
// (IP_BIND_ADDRESS_NO_PORT).
func From(source netip.Addr) Control {
	return func(fd int, to netip.AddrPort) error {
		var sa unix.Sockaddr
		switch {
		case source.Is4() != to.Addr().Is4():
			return fmt.Errorf("source %v and backend %v are of different families", source, to.Addr())
		case source.Is4():
			sa = &unix.SockaddrInet4{Addr: source.As4()}
		default:
			sa = &unix.SockaddrInet6{Addr: source.As16()}
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return option("source", err)
		}
		return option("source "+source.String(), unix.Bind(fd, sa))
	}
}

func option(what string, err error) error { return os.NewSyscallError(what, err) }
