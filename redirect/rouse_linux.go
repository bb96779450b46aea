package redirect

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/redirect/kern"
)

// rouse wakes whoever waits for something to read at an end that has just left the map:
// there may be something that came when it could not be told. To set the low-water mark,
// to what it is anyway, makes TCP look at what is there (tcp_set_rcvlowat in
// net/ipv4/tcp.c). Only the socket itself will do, so it is borrowed from its process.
func (s *Session) rouse(c *kern.Conn, side kern.Side) {
	client := netip.AddrPortFrom(c.Client.Netip(), uint16(c.ClientPort))
	server := netip.AddrPortFrom(c.Server.Netip(), uint16(c.ServerPort))
	e := ends{client, server}
	if side == kern.Server {
		e = ends{server, client}
	}
	if err := s.rouseSocket(e, int(c.PID)); err != nil {
		s.options.Notice(fmt.Sprintf("wake the reader of connection %s: %v", describe(&c.Tuple), err))
	}
}

// ends are the addresses of a socket.
type ends struct{ local, remote netip.AddrPort }

// rouseSocket looks for a process of the groups that has the socket open, first at the
// one that has made the connection.
func (s *Session) rouseSocket(e ends, client int) error {
	pids := []int{client}
	for _, dir := range s.groups {
		pids = append(pids, members(dir)...)
	}
	inodes := make(map[string]string) // by network namespace
	for _, pid := range pids {
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		ns, err := os.Readlink(filepath.Join(dir, "ns/net"))
		if err != nil {
			continue // it has ended
		}
		inode, ok := inodes[ns]
		if !ok {
			inode = inodeOf(dir, e)
			inodes[ns] = inode
		}
		if inode == "" {
			continue
		}
		if fd, ok := descriptor(dir, "socket:["+inode+"]"); ok {
			return touch(pid, fd)
		}
	}
	return nil // nobody has it open any more
}

// inodeOf finds a connection in the network namespace of a process and returns the
// number of its socket.
func inodeOf(process string, e ends) string {
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		text, err := os.ReadFile(filepath.Join(process, name))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			const local, remote, inode = 1, 2, 9
			f := strings.Fields(line)
			if len(f) <= inode {
				continue
			}
			if l, ok := tableAddr(f[local]); !ok || l != e.local {
				continue
			}
			if r, ok := tableAddr(f[remote]); ok && r == e.remote {
				return f[inode]
			}
		}
	}
	return ""
}

// tableAddr reads an address as proc_pid_net(5) has it: the words in hexadecimal, of
// this machine's byte order, and the port.
func tableAddr(text string) (a netip.AddrPort, ok bool) {
	addr, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(addr)
	n, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil {
		return a, false
	}
	for i := 0; i+4 <= len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	ip, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), ok
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

// touch sets the low-water mark of another process's socket to what it is.
func touch(pid, fd int) error {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(process)
	socket, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_getfd", err)
	}
	defer unix.Close(socket)
	low, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVLOWAT)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVLOWAT, low))
}
