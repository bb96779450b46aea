//go:build unix

package forward

import (
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// refuseNext refuses the next client that waits to be accepted, and tells whether
// there was one. It does without the poller, which might need a file descriptor more.
func (l *listener) refuseNext() bool {
	raw, err := l.tcp.SyscallConn()
	if err != nil {
		return false
	}
	done := false
	_ = raw.Control(func(fd uintptr) {
		client, sa, err := unix.Accept(int(fd))
		if err != nil {
			return
		}
		done = true
		_ = unix.SetsockoptLinger(client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		_ = unix.Close(client)
		l.service.Load().metrics.Accepted()
		l.refused(peerOf(sa), noDescriptors)
	})
	return done
}

func peerOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// empty admits those who wait to be accepted.
func empty(tcp *net.TCPListener, admit func(*net.TCPConn)) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for {
			nfd, _, err := unix.Accept(int(fd))
			if err != nil {
				return
			}
			unix.CloseOnExec(nfd)
			file := os.NewFile(uintptr(nfd), "connection")
			c, err := net.FileConn(file)
			_ = file.Close()
			if err != nil {
				continue
			}
			_ = c.(*net.TCPConn).SetNoDelay(true)
			admit(c.(*net.TCPConn))
		}
	})
}
