package wake

import (
	"errors"

	"golang.org/x/sys/unix"
)

// errNothing is that a client has said nothing yet.
var errNothing error = unix.EAGAIN

// hasLeft tells whether the client at the other end of a socket has left. POLLRDHUP
// tells of the end of its stream even when there are bytes before it that nobody has
// read (poll(2)).
func hasLeft(fd uintptr, said []byte) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	if _, err := unix.Poll(fds, 0); err != nil {
		return false
	}
	switch now := fds[0].Revents; {
	case now&(unix.POLLERR|unix.POLLHUP) != 0:
		return true
	case now&unix.POLLRDHUP == 0:
		return false
	}
	b := make([]byte, 4<<10)
	n := copy(b, said)
	more, err := peek(fd, b[n:])
	return err != nil && !errors.Is(err, errNothing) || ended(b[:n+max(more, 0)])
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
