package packet

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Prepare sets options on the socket of a connection to a backend before it is made,
// if the client's would else not go together with it: a backend on this machine would
// send segments that fill loopback's big packets, and a client on another one could not
// take them. So the backend is asked for segments of the client's size.
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
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, int(size)); err != nil {
		return fmt.Errorf("set segment size to the client's: %w", err)
	}
	return nil
}
