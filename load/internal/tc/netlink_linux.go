package tc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// native is the byte order of netlink: the host's.
var native = binary.NativeEndian

// conn is an rtnetlink socket. It belongs to the network namespace its thread
// was in when it was made, wherever it is used. It is not safe for concurrent
// use.
type conn struct {
	fd  int
	seq uint32
}

func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	c := &conn{fd: fd}
	for _, option := range []int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, 1); err != nil {
			return nil, errors.Join(fmt.Errorf("open rtnetlink: %w", err), c.close())
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, errors.Join(fmt.Errorf("open rtnetlink: %w", err), c.close())
	}
	return c, nil
}

func (c *conn) close() error { return unix.Close(c.fd) }

// namespace tells network namespaces apart.
func (c *conn) namespace() (uint64, error) {
	cookie, err := unix.GetsockoptUint64(c.fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return 0, fmt.Errorf("identify network namespace: %w", err)
	}
	return cookie, nil
}

// request is a message under construction.
type request []byte

// newRequest begins a message with its fixed part, a struct tcmsg.
func newRequest(kind, flags uint16, m tcmsg) request {
	r := make(request, unix.SizeofNlMsghdr, 128)
	native.PutUint16(r[4:], kind)
	native.PutUint16(r[6:], flags|unix.NLM_F_REQUEST)
	r = append(r, unix.AF_UNSPEC, 0, 0, 0)
	for _, word := range []uint32{uint32(m.index), m.handle, m.parent, m.info} {
		r = native.AppendUint32(r, word)
	}
	return r
}

// tcmsg is struct tcmsg without its family, which is always AF_UNSPEC.
type tcmsg struct {
	index  int
	handle uint32
	parent uint32
	info   uint32 // priority and protocol of a filter
}

const tcmsgSize = 20

func (r *request) attr(kind uint16, data []byte) {
	r.align()
	*r = native.AppendUint16(*r, uint16(unix.SizeofRtAttr+len(data)))
	*r = native.AppendUint16(*r, kind)
	*r = append(*r, data...)
}

func (r *request) text(kind uint16, s string) { r.attr(kind, append([]byte(s), 0)) }

func (r *request) uint32(kind uint16, v uint32) { r.attr(kind, native.AppendUint32(nil, v)) }

// nest adds an attribute that holds what f adds.
func (r *request) nest(kind uint16, f func()) {
	r.align()
	start := len(*r)
	r.attr(kind, nil)
	f()
	native.PutUint16((*r)[start:], uint16(len(*r)-start))
}

func (r *request) align() {
	for len(*r)%unix.NLMSG_ALIGNTO != 0 {
		*r = append(*r, 0)
	}
}

// do sends a request and collects the bodies of the messages that answer it.
func (c *conn) do(r request) ([][]byte, error) {
	if flags := native.Uint16(r[6:]); flags&unix.NLM_F_DUMP != unix.NLM_F_DUMP {
		native.PutUint16(r[6:], flags|unix.NLM_F_ACK)
	}
	c.seq++
	r.align()
	native.PutUint32(r[0:], uint32(len(r)))
	native.PutUint32(r[8:], c.seq)
	if err := unix.Sendto(c.fd, r, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("send to rtnetlink", err)
	}
	var bodies [][]byte
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(c.fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("receive from rtnetlink", err)
		}
		done, err := c.take(buf[:n], &bodies)
		if done || err != nil {
			return bodies, err
		}
	}
}

// take reads the messages of one datagram; done tells that it held the last.
func (c *conn) take(b []byte, bodies *[][]byte) (done bool, err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(native.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return true, errors.New("malformed rtnetlink message")
		}
		kind, flags, seq := native.Uint16(b[4:]), native.Uint16(b[6:]), native.Uint32(b[8:])
		body := b[unix.SizeofNlMsghdr:size]
		b = b[min(len(b), (size+3)&^3):]
		switch {
		case seq != c.seq:
			// An answer to a request that failed half-way.
		case kind == unix.NLMSG_DONE:
			return true, nil
		case kind == unix.NLMSG_ERROR:
			return true, answer(body, flags)
		default:
			*bodies = append(*bodies, append([]byte(nil), body...))
		}
	}
	return false, nil
}

// answer reads an acknowledgement: 0, or an error number and, if the kernel
// is kind, a sentence.
func answer(body []byte, flags uint16) error {
	if len(body) < 4 {
		return errors.New("malformed rtnetlink acknowledgement")
	}
	errno := unix.Errno(-int32(native.Uint32(body)))
	if errno == 0 {
		return nil
	}
	// With NETLINK_CAP_ACK the request's header follows, but not its body.
	if flags&unix.NLM_F_ACK_TLVS != 0 {
		text := attributes(body, 4+unix.SizeofNlMsghdr)[unix.NLMSGERR_ATTR_MSG]
		if s := strings.TrimRight(string(text), "\x00."); s != "" {
			return fmt.Errorf("%s: %w", s, errno)
		}
	}
	return errno
}

// attributes splits the attributes that follow the first n bytes.
func attributes(body []byte, n int) map[uint16][]byte {
	found := map[uint16][]byte{}
	if len(body) < n {
		return found
	}
	for b := body[n:]; len(b) >= unix.SizeofRtAttr; {
		size := int(native.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			break
		}
		found[native.Uint16(b[2:])&^unix.NLA_F_NESTED] = b[unix.SizeofRtAttr:size]
		b = b[min(len(b), (size+3)&^3):]
	}
	return found
}
