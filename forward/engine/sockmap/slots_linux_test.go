package sockmap

import (
	"fmt"
	"os"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestSlotAfterProgram: a program that has found its lane before the pair left the maps
// may still write to it, so nobody else must get the slot before that is over. The
// program runs under the socket's lock. Here somebody else holds that, because the
// program is over in less than a microsecond.
func TestSlotAfterProgram(t *testing.T) {
	need(t)
	e, err := New(Options{MaxPairs: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for d, name := range []string{"client", "backend"} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t)
			defer s.pair.Client.Close()
			defer s.pair.Backend.Close()
			p, err := e.enrol(s.pair)
			if err != nil {
				t.Fatal(err)
			}
			release := holdSocket(t, &p.ends[d])
			left := make(chan struct{})
			go func() { defer close(left); e.dismiss(p) }()
			select {
			case <-left:
				t.Error("the slot is free while the socket is locked")
			case <-time.After(50 * time.Millisecond):
			}
			if n := e.Stats().Active; n != 1 {
				t.Errorf("got %d pairs active, want 1", n)
			}
			release()
			<-left
			if n := e.Stats().Active; n != 0 {
				t.Errorf("got %d pairs active, want none", n)
			}
		})
	}
}

// The requests of include/uapi/linux/userfaultfd.h, and what they take.
const (
	uffdioAPI, uffdAPI   = 0xc018aa3f, 0xaa
	uffdioRegister       = 0xc020aa00
	uffdioRegisterAbsent = 1 // UFFDIO_REGISTER_MODE_MISSING
)

// holdSocket makes a thread hold a socket's lock until release is called: it writes
// from a page that does not come before (userfaultfd(2)).
func holdSocket(t *testing.T, e *end) (release func()) {
	t.Helper()
	number, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0)
	if errno != 0 {
		testkit.Need(t, fmt.Errorf("userfaultfd: %w: %w", errno, ebpf.ErrNotSupported),
			absent("without userfaultfd", "/proc/sys/vm/unprivileged_userfaultfd"))
	}
	fd := int(number)
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	api := [3]uint64{uffdAPI}
	area := [4]uint64{uint64(uintptr(unsafe.Pointer(unsafe.SliceData(page)))), uint64(len(page)), uffdioRegisterAbsent}
	for _, c := range []struct {
		request uintptr
		arg     unsafe.Pointer
	}{{uffdioAPI, unsafe.Pointer(&api)}, {uffdioRegister, unsafe.Pointer(&area)}} {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), c.request, uintptr(c.arg)); errno != 0 {
			t.Fatalf("userfaultfd: request %#x: %v", c.request, errno)
		}
	}
	written := make(chan error, 1)
	go func() {
		written <- e.control(func(socket int) error { _, err := unix.Write(socket, page); return err })
	}()
	missing := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(missing, int(patience.Milliseconds())); n != 1 {
		t.Errorf("nobody misses the page: %v", err)
	}
	return func() {
		unix.Close(fd) // the page is an ordinary one then
		if err := <-written; err != nil {
			t.Error(err)
		}
		_ = unix.Munmap(page)
	}
}
