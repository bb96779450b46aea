//go:build unix

package handover

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// perMessage is how many file descriptors go with one message: less than SCM_MAX_FD
// of include/net/scm.h, 253.
const perMessage = 64

// Send passes listeners to the process at the other end of a socket. They stay open
// here: until they are closed, both processes accept from one queue. The receiver has
// to know how many there are.
func Send(c *net.UnixConn, listeners []*net.TCPListener) error {
	for len(listeners) > 0 {
		n := min(len(listeners), perMessage)
		if err := sendSome(c, listeners[:n]); err != nil {
			return fmt.Errorf("hand over listeners: %w", err)
		}
		listeners = listeners[n:]
	}
	return nil
}

// sendSome sends a message. The descriptors are used where they are: a copy by File
// would be one that waits, and so would be the original, which shares its flags.
func sendSome(c *net.UnixConn, listeners []*net.TCPListener) error {
	return withDescriptors(listeners, nil, func(fds []int) error {
		_, _, err := c.WriteMsgUnix([]byte{byte(len(fds))}, unix.UnixRights(fds...), nil)
		return err
	})
}

// withDescriptors calls f with the descriptors of listeners, none of which can be closed
// meanwhile.
func withDescriptors(listeners []*net.TCPListener, fds []int, f func([]int) error) error {
	if len(listeners) == 0 {
		return f(fds)
	}
	raw, err := listeners[0].SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = withDescriptors(listeners[1:], append(fds, int(fd)), f) }); err != nil {
		return err
	}
	return ferr
}

// Receive takes n listeners from the process at the other end of a socket.
func Receive(c *net.UnixConn, n int) (list []*net.TCPListener, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("take over listeners: %w", errors.Join(err, closeAll(list)))
			list = nil
		}
	}()
	for len(list) < n {
		some, err := receiveSome(c)
		list = append(list, some...)
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

func closeAll(list []*net.TCPListener) error {
	var errs []error
	for _, l := range list {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

func receiveSome(c *net.UnixConn) ([]*net.TCPListener, error) {
	count, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4*perMessage))
	n, oobn, flags, _, err := c.ReadMsgUnix(count, rights)
	if n == 0 && (err == nil || errors.Is(err, io.EOF)) {
		return nil, errors.New("the other process has hung up")
	}
	if err != nil {
		return nil, err
	}
	fds, err := parseRights(rights[:oobn])
	if err == nil && (flags&unix.MSG_CTRUNC != 0 || len(fds) != int(count[0])) {
		err = fmt.Errorf("got %d of %d descriptors; raise the limit of open files", len(fds), count[0])
	}
	if err != nil {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
		return nil, err
	}
	return listenersOf(fds)
}

func parseRights(b []byte) ([]int, error) {
	messages, err := unix.ParseSocketControlMessage(b)
	if err != nil {
		return nil, err
	}
	var fds []int
	for i := range messages {
		some, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return fds, err
		}
		fds = append(fds, some...)
	}
	return fds, nil
}

// listenersOf makes listeners of descriptors, all of which it takes.
func listenersOf(fds []int) (list []*net.TCPListener, err error) {
	for _, fd := range fds {
		l, lerr := listenerOf(fd)
		if lerr != nil {
			err = errors.Join(err, lerr)
			continue
		}
		list = append(list, l)
	}
	return list, err
}

// listenerOf makes a listener of a descriptor.
func listenerOf(fd int) (*net.TCPListener, error) {
	unix.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("take over descriptor %d: %w", fd, err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		addr := l.Addr()
		_ = l.Close()
		return nil, fmt.Errorf("take over descriptor %d: %s %s is no TCP listener", fd, addr.Network(), addr)
	}
	return tcp, nil
}
