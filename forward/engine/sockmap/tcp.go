package sockmap

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// position is how far a connection has come.
type position struct {
	// seq is the sequence number of the first byte that was not read, received
	// how many bytes came before it (and whatever else TCP counts).
	seq      uint32
	received uint64
	// queued is how many bytes were written.
	queued uint64
}

var errBusy = errors.New("it does not stand still")

// positionOf returns the position of a connection that nobody else uses. There is no
// call that tells all of it at once, so it asks until nothing has come in between: a
// sender will have to wait because nobody reads, and acknowledgements end, too.
func positionOf(fd int) (position, error) {
	for range 1000 {
		before, err := tcpInfo(fd)
		if err != nil {
			return position{}, err
		}
		unread, err1 := unix.IoctlGetInt(fd, unix.SIOCINQ)
		unacked, err2 := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		next, err3 := receiveSeq(fd)
		after, err4 := tcpInfo(fd)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			return position{}, err
		}
		if before.Bytes_received == after.Bytes_received && before.Bytes_acked == after.Bytes_acked {
			return position{
				seq:      next - uint32(unread),
				received: after.Bytes_received - uint64(unread),
				queued:   after.Bytes_acked + uint64(unacked),
			}, nil
		}
	}
	return position{}, errBusy
}

func tcpInfo(fd int) (*unix.TCPInfo, error) {
	return unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
}

// receiveSeq returns the sequence number of the byte that is expected next. Only a
// socket in repair tells; see tcp_repair in net/ipv4/tcp.c. The end of the repair
// clears SO_REUSEADDR, without which the listener could not be opened again as long
// as the connection lives.
func receiveSeq(fd int) (uint32, error) {
	const receiveQueue, offQuietly = 1, -1 // of include/uapi/linux/tcp.h
	reuse, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR)
	if err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1); err != nil {
		return 0, err
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR_QUEUE, receiveQueue)
	var seq int
	if err == nil {
		seq, err = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUEUE_SEQ)
	}
	return uint32(seq), errors.Join(err,
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, offQuietly),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, reuse))
}

// queued returns how many bytes were written to a connection, or a little less while
// acknowledgements come, and whether it is still one.
func queued(fd int) (n uint64, alive bool, err error) {
	info, err := tcpInfo(fd)
	if err != nil {
		return 0, false, err
	}
	unacked, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	return info.Bytes_acked + uint64(unacked), info.State != unix.BPF_TCP_CLOSE, err
}

// room returns how many bytes a send buffer takes before it is half full: the kernel
// may shrink it, and what does not fit at once waits for milliseconds.
func room(fd int) uint64 {
	// The indexes of SO_MEMINFO; include/uapi/linux/sock_diag.h.
	const sendBuffer, queuedMemory, values = 3, 5, 9
	var mem [values]uint32
	size := uint32(unsafe.Sizeof(mem))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&mem)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 || mem[sendBuffer]/2 < mem[queuedMemory] {
		return 0
	}
	return uint64(mem[sendBuffer]/2 - mem[queuedMemory])
}

// kick makes the kernel look at what has been received. By itself it does when more
// comes. Setting the low-water mark, to what it is anyway, has that effect.
func kick(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, 1) }

func cookie(fd int) (uint64, error) {
	return unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
}
