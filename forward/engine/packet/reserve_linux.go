package packet

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
)

// reservation is a socket that stands for a connection whose own one has gone with its
// process. It sends nothing and gets nothing; it keeps the kernel from giving the port
// to somebody who dials the same backend, and whose packets the programs would take for
// the forwarder's.
type reservation struct{ fd int }

// reserve makes a reservation for a connection. Sockets in repair mode are connected by
// saying so (tcp_repair in tcp(7) of CRIU's making, tcp_v4_connect in
// net/ipv4/tcp_ipv4.c). As long as the process's socket lingers in the kernel, it fails,
// but then it isn't needed yet.
func reserve(t *kern.Tuple) (*reservation, error) {
	local := sockaddr(netip.AddrPortFrom(netip.AddrFrom16(t.Local), t.LocalPort.Host()))
	peer := sockaddr(netip.AddrPortFrom(netip.AddrFrom16(t.Peer), t.PeerPort.Host()))
	fd, err := unix.Socket(familyOf(t), unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("reserve port: %w", err)
	}
	for _, step := range []func() error{
		func() error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) },
		func() error { return unix.Bind(fd, local) },
		func() error { return unix.Connect(fd, peer) },
	} {
		if err := step(); err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("reserve port: %w", err)
		}
	}
	return &reservation{fd}, nil
}

func familyOf(t *kern.Tuple) int {
	if t.Peer.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func (r *reservation) close() {
	if r != nil {
		unix.Close(r.fd)
	}
}
