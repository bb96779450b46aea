//go:build linux

// Package rtnl makes and lists network devices, addresses, routes and queueing
// disciplines through rtnetlink(7): what a test's network needs, without the ip
// command, which test machines don't have.
package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Conn is a connection to the network namespace its thread was in at Dial. It
// is not safe for concurrent use.
type Conn struct {
	fd  int
	seq uint32
}

// Dial connects to the calling thread's network namespace.
func Dial() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	return &Conn{fd: fd}, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// Do dials, runs f and closes.
func Do(f func(*Conn) error) error {
	c, err := Dial()
	if err != nil {
		return err
	}
	return errors.Join(f(c), c.Close())
}

// native is the byte order of netlink: the host's.
var native = binary.NativeEndian

// message is a request under construction: header, fixed part, attributes.
type message []byte

// newMessage begins a request with its fixed part (struct ifinfomsg and the like).
func newMessage(kind, flags uint16, fixed []byte) message {
	m := make(message, unix.SizeofNlMsghdr, 256)
	native.PutUint16(m[4:], kind)
	native.PutUint16(m[6:], flags|unix.NLM_F_REQUEST)
	return append(m, fixed...)
}

func (m *message) align() {
	for len(*m)%unix.NLMSG_ALIGNTO != 0 {
		*m = append(*m, 0)
	}
}

// attr adds an attribute.
func (m *message) attr(kind uint16, data []byte) {
	m.align()
	*m = native.AppendUint16(*m, uint16(unix.SizeofRtAttr+len(data)))
	*m = native.AppendUint16(*m, kind)
	*m = append(*m, data...)
}

func (m *message) text(kind uint16, s string) { m.attr(kind, append([]byte(s), 0)) }

func (m *message) uint32(kind uint16, v uint32) { m.attr(kind, native.AppendUint32(nil, v)) }

func (m *message) uint16(kind uint16, v uint16) { m.attr(kind, native.AppendUint16(nil, v)) }

// nest adds an attribute that holds what f adds.
func (m *message) nest(kind uint16, f func()) {
	m.align()
	start := len(*m)
	m.attr(kind, nil)
	f()
	native.PutUint16((*m)[start:], uint16(len(*m)-start))
}

// exec sends a request and waits for its acknowledgement.
func (c *Conn) exec(m message) error {
	native.PutUint16(m[6:], native.Uint16(m[6:])|unix.NLM_F_ACK)
	_, err := c.roundTrip(m)
	return err
}

// roundTrip sends a request and collects the bodies of the answers.
func (c *Conn) roundTrip(m message) (bodies [][]byte, err error) {
	c.seq++
	m.align()
	native.PutUint32(m[0:], uint32(len(m)))
	native.PutUint32(m[8:], c.seq)
	if err := unix.Sendto(c.fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(c.fd, buf, 0)
		if err != nil {
			return nil, err
		}
		done, err := c.take(buf[:n], &bodies)
		if done || err != nil {
			return bodies, err
		}
	}
}

// take reads the messages of one datagram; done tells that it was the last.
func (c *Conn) take(b []byte, bodies *[][]byte) (done bool, err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(native.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return false, errors.New("read rtnetlink: malformed message")
		}
		kind, seq, body := native.Uint16(b[4:]), native.Uint32(b[8:]), b[unix.SizeofNlMsghdr:size]
		b = b[min(len(b), (size+3)&^3):]
		if seq != c.seq {
			continue
		}
		switch kind {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if errno := -int32(native.Uint32(body)); errno != 0 {
				return true, unix.Errno(errno)
			}
			return true, nil
		}
		*bodies = append(*bodies, append([]byte(nil), body...))
	}
	return false, nil
}

// attributes splits the attributes that follow a fixed part of n bytes.
func attributes(body []byte, n int) map[uint16][]byte {
	out := make(map[uint16][]byte)
	if len(body) < n {
		return out
	}
	for b := body[n:]; len(b) >= unix.SizeofRtAttr; {
		size := int(native.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			break
		}
		out[native.Uint16(b[2:])&^unix.NLA_F_NESTED] = b[unix.SizeofRtAttr:size]
		b = b[min(len(b), (size+3)&^3):]
	}
	return out
}

func cstring(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
