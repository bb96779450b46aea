package redirect

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/redirect/kern"
)

// diagRequest is struct inet_diag_req_v2 of include/uapi/linux/inet_diag.h.
type diagRequest struct {
	Family, Protocol, Ext, _ uint8
	States                   uint32
	SrcPort, DstPort         [2]byte // in network byte order
	Src, Dst                 [16]byte
	Interface                uint32
	Cookie                   [2]uint32
}

// destroy resets a connection of this network namespace, as ss --kill does: both its
// processes see an error.
func destroy(t *kern.Tuple) error {
	const sockDestroy = 21 // SOCK_DESTROY of include/uapi/linux/sock_diag.h
	client, server := t.Client.Netip(), t.Server.Netip()
	r := diagRequest{
		Family: unix.AF_INET6, Protocol: unix.IPPROTO_TCP,
		States: ^uint32(0), Cookie: [2]uint32{^uint32(0), ^uint32(0)},
		Src: client.As16(), Dst: server.As16(),
	}
	if client.Is4() {
		r.Family = unix.AF_INET
		r.Src, r.Dst = [16]byte{}, [16]byte{}
		src, dst := client.As4(), server.As4()
		copy(r.Src[:], src[:])
		copy(r.Dst[:], dst[:])
	}
	binary.BigEndian.PutUint16(r.SrcPort[:], uint16(t.ClientPort))
	binary.BigEndian.PutUint16(r.DstPort[:], uint16(t.ServerPort))
	return ask(sockDestroy, unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r)))
}

// ask sends a request to the kernel's socket diagnosis and waits for its answer.
func ask(kind uint16, body []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	message := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(body))
	h := (*unix.NlMsghdr)(unsafe.Pointer(unsafe.SliceData(message)))
	h.Len, h.Type, h.Flags = uint32(unix.SizeofNlMsghdr+len(body)), kind, unix.NLM_F_REQUEST|unix.NLM_F_ACK
	message = append(message, body...)
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	answer := make([]byte, unix.Getpagesize())
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return os.NewSyscallError("recvfrom", err)
	}
	if n < unix.SizeofNlMsghdr+4 {
		return fmt.Errorf("short answer of %d bytes", n)
	}
	if errno := -int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); errno != 0 {
		return unix.Errno(errno)
	}
	return nil
}
