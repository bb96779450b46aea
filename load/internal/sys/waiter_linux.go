package sys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Waiter lets one goroutine sleep until the kernel signals a file, time has
// passed or another goroutine wakes it. The timer has the kernel's resolution:
// that of the Go runtime is a millisecond while the process is idle.
type Waiter struct {
	mu    sync.RWMutex // held for reading while the descriptors are in use
	epoll int          // -1 once closed
	event int          // an eventfd
}

// NewWaiter makes a Waiter for the file descriptor target, which stays the
// caller's.
func NewWaiter(target int) (_ *Waiter, err error) {
	w := &Waiter{epoll: -1, event: -1}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("open epoll: %w", err)
	}
	if w.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("open eventfd: %w", err)
	}
	// Edge-triggered: a signal counts once, and unread data by itself does not.
	if err = w.add(target, unix.EPOLLIN|unix.EPOLLET); err != nil {
		return nil, err
	}
	return w, w.add(w.event, unix.EPOLLIN)
}

func (w *Waiter) add(fd int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(fd)}
	if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return fmt.Errorf("add to epoll: %w", err)
	}
	return nil
}

// Wait sleeps until the kernel has signalled the target since the last Wait,
// Wake was called, or the timeout has passed. It reports whether it ended
// before the timeout.
func (w *Waiter) Wait(timeout time.Duration) (signalled bool, err error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.epoll < 0 {
		return false, nil
	}
	var events [2]unix.EpollEvent
	n, errno := epollPwait2(w.epoll, events[:], timeout)
	if errno != 0 && errno != unix.EINTR {
		return false, fmt.Errorf("wait for epoll: %w", errno)
	}
	return n > 0, nil
}

// epollPwait2 is epoll_pwait2(2), Linux 5.11.
func epollPwait2(epoll int, events []unix.EpollEvent, timeout time.Duration) (n int, errno unix.Errno) {
	left := unix.NsecToTimespec(timeout.Nanoseconds())
	r, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epoll),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)),
		uintptr(unsafe.Pointer(&left)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// Wake ends the current Wait and all later ones.
func (w *Waiter) Wake() {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.event >= 0 {
		// Fails only if the counter is full: then it is awake.
		_, _ = unix.Write(w.event, binary.NativeEndian.AppendUint64(nil, 1))
	}
}

// Close frees the Waiter. Nobody may be waiting.
func (w *Waiter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(closeFD(&w.event), closeFD(&w.epoll))
}

func closeFD(fd *int) error {
	n := *fd
	*fd = -1
	if n < 0 {
		return nil
	}
	return unix.Close(n)
}
