package packet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
)

// reset ends both connections of a pair whose sockets have gone with their process.
func (t *tuples) reset() error { return errors.Join(sendReset(&t[0]), sendReset(&t[1])) }

// sendReset sends a RST to a connection's peer. Its sequence number is filled in by the
// programs, as in those of sockets: see suppress in package kern.
func sendReset(t *kern.Tuple) error {
	local := netip.AddrPortFrom(netip.AddrFrom16(t.Local), 0)
	peer := netip.AddrPortFrom(netip.AddrFrom16(t.Peer), 0)
	fd, err := unix.Socket(familyOf(t), unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		return fmt.Errorf("reset %v: %w", peer.Addr().Unmap(), err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, sockaddr(local)), unix.Sendto(fd, resetSegment(t), 0, sockaddr(peer))); err != nil {
		return fmt.Errorf("reset %v: %w", peer.Addr().Unmap(), err)
	}
	return nil
}

// resetSegment makes a header with the flag and nothing else.
func resetSegment(t *kern.Tuple) []byte {
	b := make([]byte, packet.TCPLen)
	binary.BigEndian.PutUint16(b[0:], t.LocalPort.Host())
	binary.BigEndian.PutUint16(b[2:], t.PeerPort.Host())
	b[12] = packet.TCPLen << 2
	b[13] = byte(packet.RST)
	sum := packet.Sum(b, packet.SumPseudoHeader(t.Local, t.Peer, packet.ProtoTCP, packet.TCPLen))
	binary.NativeEndian.PutUint16(b[16:], uint16(packet.Finish(sum)))
	return b
}
