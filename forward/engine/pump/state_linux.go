package pump

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// isClosed tells whether a connection is over. The end of the stream that is read
// leaves it in CLOSE_WAIT; a reset, or the end of both streams, closes it.
func isClosed(c syscall.RawConn) bool {
	const tcpClose = 7 // TCP_CLOSE of include/net/tcp_states.h
	closed := false
	err := c.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		closed = err == nil && info.State == tcpClose
	})
	return err == nil && closed
}
