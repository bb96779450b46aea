package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// This file reads the kernel's own structures. What can't be read is 0.

func word(addr uint64, off uint32) uint64 {
	var v uint64
	trace.ReadKernel(&v, addr+uint64(off))
	return v
}

func half(addr uint64, off uint32) uint32 {
	var v uint32
	trace.ReadKernel(&v, addr+uint64(off))
	return v
}

func address(s *sk.Sock) uint64 {
	var a uint64
	trace.AddressOf(&a, s)
	return a
}

// psock returns the address of the struct sk_psock of a socket in a socket map, of
// others 0 or anything. The pointer's lowest bits are flags (SK_USER_DATA_PTRMASK in
// include/net/sock.h).
func psock(sock uint64) uint64 { return word(sock, At.UserData) &^ 7 }

// empty tells whether a list of the kernel's has no entries: then its head points to
// itself.
func empty(list uint64) bool { return word(list, 0) == list }

// fit tells whether a socket is plain TCP, with nothing above it in the kernel: a
// subflow of multipath TCP and kernel TLS have a ULP.
func fit(sock uint64) bool {
	if sock == 0 || word(sock, At.ULP) != 0 {
		return false
	}
	return !SkipKernel || half(sock, At.KernSock)>>(At.KernSockBit&31)&1 == 0
}

// nonblock is O_NONBLOCK of include/uapi/asm-generic/fcntl.h.
const nonblock = 0o4000

// file is the file of a socket, 0 if it has not been accepted, or is closed.
func file(sock uint64) uint64 { return word(word(sock, At.Socket), At.File) }

// inode is the number of a socket's inode.
func inode(sock uint64) uint64 { return word(word(file(sock), At.Inode), At.Ino) }

// polling tells whether a socket blocks, Unseen if it has no file.
func polling(sock uint64) Polling {
	f := file(sock)
	switch {
	case f == 0:
		return Unseen
	case half(f, At.FileFlags)&nonblock == 0:
		return Blocks
	}
	return Polls
}

// zerocopy tells whether the sender of a socket wants to be told when its memory is free.
func zerocopy(sock uint64) bool { return word(sock, At.SockFlags)>>(At.ZerocopyFlag&63)&1 != 0 }

// process returns the number of the current process. Programs of the kind sockops can't
// ask for it before Linux 6.10.
func process() uint32 { return half(bpf.GetCurrentTask(), At.TGID) }

// running returns the current process's program.
func running() (p Program) {
	inode := word(word(word(bpf.GetCurrentTask(), At.MM), At.ExeFile), At.Inode)
	p.Inode = word(inode, At.Ino)
	p.Device = uint64(half(word(inode, At.Superblock), At.Device))
	return p
}

// socketAt returns the socket behind a file descriptor of the current process; if it
// is no socket, 0 or any number.
func socketAt(fd int64) uint64 {
	table := word(word(bpf.GetCurrentTask(), At.Files), At.FDTable)
	if fd < 0 || fd >= int64(half(table, At.MaxFDs)) {
		return 0
	}
	return word(word(word(word(table, At.FD)+uint64(fd)*8, 0), At.PrivateData), At.SocketSk)
}
