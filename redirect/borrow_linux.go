package redirect

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/redirect/kern"
)

// rouse wakes whoever waits for something to read at an end that has just left the map:
// there may be something that came when it could not be told. To set the low-water mark,
// to what it is anyway, makes TCP look at what is there (tcp_set_rcvlowat in
// net/ipv4/tcp.c). Only the socket itself will do.
func (s *Session) rouse(c *kern.Conn, side kern.Side) {
	err := s.borrow(c, side, func(fd int) error {
		low, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT)
		if err != nil {
			return os.NewSyscallError("getsockopt", err)
		}
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, low))
	})
	if err != nil && !errors.Is(err, errNobody) {
		s.options.Notice(fmt.Sprintf("wake the reader of connection %s: %v", describe(&c.Tuple), err))
	}
}

// reset breaks a connection that has something on the short cut which nobody will read,
// because its reader splices: both processes see an error. The reader's end is
// disconnected, and the other one reset thereby. Not both: a socket that is disconnected
// while it is in the map says neither that it is nor that there is nothing (tcp_bpf_recvmsg
// looks whether it is shut down, which it isn't any more), but splice does.
func (s *Session) reset(slot uint32, id uint64) {
	if _, err := s.look(slot, id, false); err != nil {
		s.options.Notice(err.Error())
		return
	}
	c, ok := s.conn(slot, id)
	if !ok {
		return
	}
	reader := kern.Server
	if c.Direction[kern.Client].Veto != kern.Splices {
		reader = kern.Client
	}
	// A socket on which somebody waits can't be disconnected on some kernels.
	err := s.borrow(&c, reader, disconnect)
	if err != nil {
		err = s.borrow(&c, reader^1, disconnect)
	}
	if err != nil && !errors.Is(err, errNobody) {
		s.options.Notice(fmt.Sprintf("reset connection %s: %v", describe(&c.Tuple), err))
	}
}

// disconnect connects a socket to no family, which resets the connection; see connect(2).
func disconnect(fd int) error {
	var none unix.RawSockaddr
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none))
	if errno != 0 {
		return os.NewSyscallError("connect", errno)
	}
	return nil
}

// errNobody is the error of a socket that no process has open any more.
var errNobody = errors.New("no process has it open")

// borrow calls f with a side's socket of a connection that was inspected, as its process
// has it open: one of the groups, most likely the one that has made the connection. The
// error is errNobody if none has it.
func (s *Session) borrow(c *kern.Conn, side kern.Side, f func(fd int) error) error {
	socket := fmt.Sprintf("socket:[%d]", c.Inode[side])
	pids := []int{int(c.PID)}
	for _, dir := range s.groups {
		pids = append(pids, members(dir)...)
	}
	for _, pid := range pids {
		if fd, ok := descriptor(filepath.Join("/proc", strconv.Itoa(pid)), socket); ok {
			return lend(pid, fd, f)
		}
	}
	return errNobody
}

// descriptor finds the file descriptor of a process that leads to a file.
func descriptor(process, target string) (fd int, ok bool) {
	dir := filepath.Join(process, "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, false
	}
	for _, e := range entries {
		if link, _ := os.Readlink(filepath.Join(dir, e.Name())); link == target {
			fd, err := strconv.Atoi(e.Name())
			return fd, err == nil
		}
	}
	return 0, false
}

// lend calls f with a copy of another process's file descriptor.
func lend(pid, fd int, f func(fd int) error) error {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(process)
	own, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_getfd", err)
	}
	defer unix.Close(own)
	return f(own)
}
