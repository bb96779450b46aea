package rawio

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read reads into b, which is not empty.
func Read(fd int, b []byte) (int, error) {
	return result(syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))))
}

// Write writes b.
func Write(fd int, b []byte) (int, error) {
	return result(syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))))
}

// CloseWrite ends the stream that is written to a socket.
func CloseWrite(fd int) error {
	_, err := result(syscall.RawSyscall(syscall.SYS_SHUTDOWN, uintptr(fd), syscall.SHUT_WR, 0))
	return err
}

// Closed tells whether a connection is over. The end of the stream that is read leaves it
// in CLOSE_WAIT; a reset, or the end of both streams, closes it.
func Closed(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == unix.BPF_TCP_CLOSE
}

// Connect begins to connect a socket to an address without a zone.
func Connect(fd int, to netip.AddrPort) error {
	if to.Addr().Is4() {
		sa := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: networkOrder(to.Port()), Addr: to.Addr().As4()}
		return connect(fd, unsafe.Pointer(&sa), unsafe.Sizeof(sa))
	}
	sa := unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: networkOrder(to.Port()), Addr: to.Addr().As16()}
	return connect(fd, unsafe.Pointer(&sa), unsafe.Sizeof(sa))
}

func connect(fd int, sa unsafe.Pointer, size uintptr) error {
	_, err := result(syscall.RawSyscall(syscall.SYS_CONNECT, uintptr(fd), uintptr(sa), size))
	return err
}

// networkOrder is a number whose bytes in memory are those of n in network order.
func networkOrder(n uint16) (port uint16) {
	b := (*[2]byte)(unsafe.Pointer(&port))
	b[0], b[1] = byte(n>>8), byte(n)
	return port
}

func result(n, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
