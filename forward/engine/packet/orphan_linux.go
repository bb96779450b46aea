package packet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
)

// errInUse says that a socket has an owner.
var errInUse = errors.New("its socket belongs to a process")

// destroyOrphan ends the kernel's socket for a connection, if no process has it any
// more: what is left of one that was closed, or whose process has ended, and still
// tries to tell its peer. Nobody hears of that; the programs suppress it.
func destroyOrphan(t *kern.Tuple) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return fmt.Errorf("open sock_diag: %w", err)
	}
	defer unix.Close(fd)
	id := sockID(t)
	found, err := askDiag(fd, unix.SOCK_DIAG_BY_FAMILY, 0, t, id)
	if err != nil {
		return fmt.Errorf("find socket: %w", err)
	}
	if len(found) < diagSize {
		return fmt.Errorf("find socket: got %d bytes", len(found))
	}
	if binary.NativeEndian.Uint32(found[diagInode:]) != 0 {
		return errInUse
	}
	copy(id[idCookie:], found[diagID+idCookie:][:8]) // that one, and no other that comes meanwhile
	if _, err := askDiag(fd, sockDestroy, unix.NLM_F_ACK, t, id); err != nil {
		return fmt.Errorf("destroy socket: %w", err)
	}
	return nil
}

// Of include/uapi/linux/sock_diag.h and inet_diag.h: the request to destroy, and where
// things are in struct inet_diag_sockid and struct inet_diag_msg.
const (
	sockDestroy = 21

	idSize   = 48
	idSource = 4
	idDest   = 20
	idCookie = 40

	diagID    = 4
	diagInode = 68
	diagSize  = 72
)

// sockID names the socket of a connection; it may have any cookie.
func sockID(t *kern.Tuple) (id [idSize]byte) {
	binary.BigEndian.PutUint16(id[0:], t.LocalPort.Host())
	binary.BigEndian.PutUint16(id[2:], t.PeerPort.Host())
	skip := 0
	if t.Peer.Is4() {
		skip = len(t.Peer) - 4 // they are mapped to IPv6
	}
	copy(id[idSource:idDest], t.Local[skip:])
	copy(id[idDest:], t.Peer[skip:])
	for i := idCookie; i < idSize; i++ {
		id[i] = 0xff // INET_DIAG_NOCOOKIE
	}
	return id
}

// askDiag sends a request and returns the message that is the answer, without its
// header; none if that only says that it was done.
func askDiag(fd int, request, flags uint16, t *kern.Tuple, id [idSize]byte) ([]byte, error) {
	const header, states = unix.SizeofNlMsghdr, 0xffffffff
	b := make([]byte, header+8, header+8+idSize)
	binary.NativeEndian.PutUint32(b[0:], uint32(cap(b)))
	binary.NativeEndian.PutUint16(b[4:], request)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|flags)
	b[header], b[header+1] = byte(familyOf(t)), unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[header+4:], states)
	b = append(b, id[:]...)
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	answer := make([]byte, 4<<10)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return nil, err
	}
	if n < header+4 {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	answer = answer[:n]
	if binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return answer[header:], nil
	}
	if errno := -int32(binary.NativeEndian.Uint32(answer[header:])); errno != 0 {
		return nil, unix.Errno(errno)
	}
	return nil, nil
}
