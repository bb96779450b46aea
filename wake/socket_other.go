//go:build unix && !linux

package wake

import (
	"errors"

	"golang.org/x/sys/unix"
)

// errNothing is that a client has said nothing yet.
var errNothing error = unix.EAGAIN

// hasLeft tells whether the client at the other end of a socket has left. The end of
// its stream is not seen as long as there are bytes before it.
func hasLeft(fd uintptr, said []byte) bool {
	n, err := peek(fd, make([]byte, 1))
	return err != nil && !errors.Is(err, errNothing) || err == nil && n == 0 && ended(said)
}

// peek reads what a client has said, and leaves it there.
func peek(fd uintptr, b []byte) (int, error) {
	for {
		n, _, err := unix.Recvfrom(int(fd), b, unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return n, err
		}
	}
}
