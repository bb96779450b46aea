//go:build linux

package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Diag lists sockets by asking the kernel (sock_diag(7)).
type Diag struct {
	mu  sync.Mutex // one question at a time
	fd  int
	seq uint32
	buf []byte
}

// OpenDiag opens a way to ask about the network namespace of the calling thread, and
// makes sure that the kernel answers: inet_diag is often a module.
func OpenDiag() (*Diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("list sockets: open netlink: %w", err)
	}
	d := &Diag{fd: fd, buf: make([]byte, 32<<10)}
	if err := d.dump(unix.AF_INET, 1<<SynRecv, 0, func(*Socket) {}); err != nil {
		return nil, errors.Join(fmt.Errorf("list sockets: %w", err), d.Close())
	}
	return d, nil
}

// Close ends it.
func (d *Diag) Close() error { return unix.Close(d.fd) }

// Connections calls each for the open connections to some ports.
func (d *Diag) Connections(ports Ports, each func(*Socket)) error {
	return d.list(open, ports, each)
}

// Listeners calls each for the sockets that listen on some ports.
func (d *Diag) Listeners(ports Ports, each func(*Socket)) error {
	return d.list(1<<Listen, ports, each)
}

func (d *Diag) list(states uint32, ports Ports, each func(*Socket)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var port uint16
	if len(ports) == 1 {
		port = ports[0]
	}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		// The kernel goes through all its sockets each time: once for many ports.
		err := d.dump(family, states, port, func(s *Socket) {
			if ports.Has(s.Local.Port()) {
				each(s)
			}
		})
		if err != nil {
			return fmt.Errorf("list sockets: %w", err)
		}
	}
	return nil
}

// The sizes of the structs below, and what they come after.
const (
	headerLen  = unix.SizeofNlMsghdr
	requestLen = int(unsafe.Sizeof(request{}))
	messageLen = int(unsafe.Sizeof(message{}))
)

// sockID is struct inet_diag_sockid of include/uapi/linux/inet_diag.h.
type sockID struct {
	sport, dport [2]byte // in network byte order
	src, dst     [16]byte
	iface        uint32
	cookie       [2]uint32
}

// request is a netlink header and struct inet_diag_req_v2.
type request struct {
	header           unix.NlMsghdr
	family, protocol uint8
	ext, pad         uint8
	states           uint32
	id               sockID
}

// message is struct inet_diag_msg.
type message struct {
	family, state, timer, retrans uint8
	id                            sockID
	expires, rqueue, wqueue       uint32
	uid, inode                    uint32
}

// The constants of inet_diag.h, and SOCK_DIAG_BY_FAMILY of sock_diag.h.
const (
	byFamily   = 20
	remainder  = 3  // timer of what has no socket any more
	diagInfo   = 2  // INET_DIAG_INFO
	diagCgroup = 21 // INET_DIAG_CGROUP_ID, Linux 5.9
)

// dump asks for the sockets of a family with some states and a port, 0 for any.
func (d *Diag) dump(family uint8, states uint32, port uint16, each func(*Socket)) error {
	d.seq++
	r := request{
		header: unix.NlMsghdr{Len: uint32(requestLen), Type: byFamily, Flags: unix.NLM_F_REQUEST | unix.NLM_F_DUMP, Seq: d.seq},
		family: family, protocol: unix.IPPROTO_TCP, ext: 1 << (diagInfo - 1), states: states,
	}
	binary.BigEndian.PutUint16(r.id.sport[:], port)
	if err := unix.Sendto(d.fd, unsafe.Slice((*byte)(unsafe.Pointer(&r)), requestLen), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("ask kernel", err)
	}
	for {
		n, _, err := unix.Recvfrom(d.fd, d.buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("hear kernel", err)
		}
		if done, err := d.answers(d.buf[:n], each); done || err != nil {
			return err
		}
	}
}

// answers reads a datagram of answers, and tells whether they were the last.
func (d *Diag) answers(b []byte, each func(*Socket)) (done bool, err error) {
	for len(b) >= headerLen {
		h := (*unix.NlMsghdr)(unsafe.Pointer(unsafe.SliceData(b)))
		if h.Len < headerLen || int(h.Len) > len(b) {
			return true, errors.New("the kernel's answer is cut off")
		}
		body := b[headerLen:h.Len]
		b = b[min(len(b), int(h.Len+3)&^3):]
		switch {
		case h.Seq != d.seq: // of a question given up
		case h.Type == unix.NLMSG_DONE:
			return true, nil
		case h.Type == unix.NLMSG_ERROR && len(body) >= 4:
			return true, os.NewSyscallError("kernel", unix.Errno(-int32(binary.NativeEndian.Uint32(body))))
		case h.Type == byFamily && len(body) >= messageLen:
			if s, ok := socket(body); ok {
				each(&s)
			}
		}
	}
	return false, nil
}

// socket makes a socket of an answer, unless it is about what remains of one in
// TIME_WAIT or FIN_WAIT2 (inet_twsk_diag_fill in net/ipv4/inet_diag.c).
func socket(body []byte) (s Socket, ok bool) {
	m := (*message)(unsafe.Pointer(unsafe.SliceData(body)))
	if m.timer == remainder {
		return s, false
	}
	s = Socket{
		Local:  addrPort(m.family, m.id.src, m.id.sport),
		Remote: addrPort(m.family, m.id.dst, m.id.dport),
		State:  State(m.state),
		Cookie: uint64(m.id.cookie[0]) | uint64(m.id.cookie[1])<<32,
	}
	for b := body[messageLen:]; len(b) >= 4; {
		size, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
		if size < 4 || size > len(b) {
			break
		}
		s.attribute(kind, b[4:size])
		b = b[min(len(b), (size+3)&^3):]
	}
	return s, true
}

func (s *Socket) attribute(kind uint16, value []byte) {
	const behindBytes = int(unsafe.Offsetof(unix.TCPInfo{}.Segs_out))
	switch {
	case kind == diagCgroup && len(value) >= 8:
		s.Cgroup = binary.NativeEndian.Uint64(value)
	case kind == diagInfo && len(value) >= behindBytes && s.State != Listen:
		// Behind an attribute's header it is aligned to 4 bytes only.
		at := func(offset uintptr) uint64 { return binary.NativeEndian.Uint64(value[offset:]) }
		received, acked := at(unsafe.Offsetof(unix.TCPInfo{}.Bytes_received)), at(unsafe.Offsetof(unix.TCPInfo{}.Bytes_acked))
		s.Bytes = payload(s.State, received, acked)
	}
}

func addrPort(family uint8, ip [16]byte, port [2]byte) netip.AddrPort {
	addr := netip.AddrFrom16(ip).Unmap()
	if family == unix.AF_INET {
		addr = netip.AddrFrom4([4]byte(ip[:4]))
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(port[:]))
}
