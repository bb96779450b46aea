package sys

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// PacketSocket is a packet(7) socket that sees all packets of an interface.
type PacketSocket struct{ file *os.File }

// OpenPacketSocket opens a packet socket on the interface with that index.
func OpenPacketSocket(index int) (*PacketSocket, error) {
	// Protocol 0 receives nothing before bind names the interface.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	s := &PacketSocket{os.NewFile(uintptr(fd), "packet socket")}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: index}); err != nil {
		s.Close()
		return nil, fmt.Errorf("bind packet socket: %w", err)
	}
	return s, nil
}

// networkOrder swaps the bytes if this machine is little-endian.
func networkOrder(v uint16) uint16 {
	b := [2]byte{byte(v >> 8), byte(v)}
	return binary.NativeEndian.Uint16(b[:])
}

// SyscallConn makes the socket a syscall.Conn.
func (s *PacketSocket) SyscallConn() (syscall.RawConn, error) { return s.file.SyscallConn() }

// Close closes the socket.
func (s *PacketSocket) Close() error { return s.file.Close() }

// AttachReuseport gives the socket's SO_REUSEPORT group a program.
func AttachReuseport(conn syscall.Conn, prog int) error {
	return setSocketOption(conn, unix.SO_ATTACH_REUSEPORT_EBPF, prog)
}

// DetachReuseport takes the program off the socket's SO_REUSEPORT group.
func DetachReuseport(conn syscall.Conn) error {
	return setSocketOption(conn, unix.SO_DETACH_REUSEPORT_BPF, 0)
}

func setSocketOption(conn syscall.Conn, option, value int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var optErr error
	if err := raw.Control(func(fd uintptr) {
		optErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, value)
	}); err != nil {
		return err
	}
	return optErr
}
