package packet

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Prepare sets options on the socket of a connection to a backend before it is made,
// if the client's would else not go together with it: a backend on this machine would
// send segments that fill loopback's big packets, and a client on another one could not
// take them. So the backend is asked for segments of the client's size, as far as the
// option goes. Where it doesn't, the pair may not fit together, which link finds out.
func (e *Engine) Prepare(client *net.TCPConn, fd int, backend netip.AddrPort) error {
	if e.addresses.interfaceOf(backend.Addr().Unmap()) == "" {
		return nil
	}
	if e.addresses.interfaceOf(addrPort(client.RemoteAddr()).Addr()) != "" {
		return nil
	}
	var size uint32
	err := control(client, func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return err
		}
		size = info.Snd_mss
		if info.Options&optTimestamps != 0 {
			size += stampsLen // the option does not count them
		}
		return nil
	})
	if err != nil {
		return nil // the client is gone; others will notice
	}
	if size >= minSegment {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, int(min(size, maxSegment)))
	}
	return nil
}

// What TCP_MAXSEG takes: TCP_MIN_MSS to MAX_TCP_WINDOW of the kernel's net/tcp.h.
const minSegment, maxSegment = 88, 32767
