package packet

import (
	"fmt"
	"net"
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
// net/ipv4/tcp_ipv4.c). The process's socket may linger in the kernel; it has to make
// room, for nobody can say when it goes. As long as a process has it, reserve fails, but
// then it isn't needed yet.
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
		func() error {
			err := unix.Connect(fd, peer)
			if err == unix.EADDRNOTAVAIL && destroyOrphan(t) == nil {
				err = unix.Connect(fd, peer)
			}
			return err
		},
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

// keep makes a reservation of a connection's own socket, which is in repair mode. It is
// nil if that can't be done.
func keep(c *net.TCPConn) (r *reservation) {
	_ = control(c, func(fd int) error {
		again, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err == nil {
			r = &reservation{again}
		}
		return err
	})
	return r
}

// leave ends a reservation of a connection that goes on, to be made again by another
// process. Until then the kernel keeps the port: it tries to tell the peer of the end,
// in vain, because the programs suppress that, and gives up after eight times in some
// four seconds (TCP_RESOURCE_PROBE_INTERVAL of include/net/tcp.h).
func (r *reservation) leave() {
	if r == nil {
		return
	}
	_ = unix.SetsockoptInt(r.fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, unix.TCP_REPAIR_OFF_NO_WP)
	_ = unix.SetsockoptLinger(r.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{}) // not a RST
	unix.Close(r.fd)
}

// close ends a reservation at once.
func (r *reservation) close() {
	if r != nil {
		unix.Close(r.fd)
	}
}
