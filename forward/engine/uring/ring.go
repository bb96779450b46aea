package uring

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// What is needed of include/uapi/linux/io_uring.h.
const (
	setupCQSize       = 1 << 3
	setupSingleIssuer = 1 << 12
	setupDeferTaskrun = 1 << 13

	featSingleMmap = 1 << 0
	offSQEs        = 0x10000000

	enterGetEvents = 1 << 0

	registerBufferRing = 22

	opPollAdd     = 6
	opAsyncCancel = 14
	opSend        = 26
	opRecv        = 27

	sqeBufferSelect = 1 << 5
	recvMultishot   = 1 << 1
	pollIn          = 1

	cqeBuffer      = 1 << 0
	cqeMore        = 1 << 1
	cqeBufferShift = 16
)

// sqe is struct io_uring_sqe: a request.
type sqe struct {
	op, flags   uint8
	ioprio      uint16
	fd          int32
	off         uint64
	addr        uint64
	len         uint32
	opFlags     uint32
	userData    uint64
	bufferGroup uint16
	_           uint16
	_           uint32
	_           [2]uint64
}

// cqe is struct io_uring_cqe: a completion.
type cqe struct {
	userData uint64
	res      int32
	flags    uint32
}

// params is struct io_uring_params.
type params struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	_                                                                      [3]uint32
	sq, cq                                                                 offsets
}

// offsets is struct io_sqring_offsets; struct io_cqring_offsets has other names for
// the fifth to the seventh.
type offsets struct {
	head, tail, mask, entries uint32
	flags, dropped, array     uint32
	_                         uint32
	_                         uint64
}

// cqes is where the completions are.
func (o *offsets) cqes() uint32 { return o.dropped }

// ring is an io_uring. It belongs to the thread that has made it.
type ring struct {
	fd          int
	rings, sqeM []byte // mapped memory

	sqHead, sqTail *uint32
	sqMask         uint32
	sqes           []sqe
	tail           uint32 // of requests that are written, some not yet handed over

	cqHead, cqTail *uint32
	cqMask         uint32
	cqes           []cqe
}

// newRing makes a ring, for this thread only.
func newRing(requests, completions uint32) (*ring, error) {
	p := params{flags: setupCQSize | setupSingleIssuer | setupDeferTaskrun, cqEntries: completions}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(requests), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, refusal(errno)
	}
	r := &ring{fd: int(fd)}
	if err := r.mmap(&p); err != nil {
		r.close()
		return nil, fmt.Errorf("map ring into memory: %w", err)
	}
	return r, nil
}

// refusal explains why there is no ring.
func refusal(errno unix.Errno) error {
	switch errno {
	case unix.ENOSYS:
		return engine.Refuse("no io_uring", errors.New("the kernel was built without it"))
	case unix.EPERM, unix.EACCES:
		return engine.Refuse("io_uring forbidden", fmt.Errorf("%w: %s", errno, whoForbids()))
	case unix.EINVAL:
		return engine.Refuse("kernel too old", errors.New("io_uring can do too little before Linux 6.1"))
	}
	return engine.Refuse("no io_uring", errno)
}

// whoForbids looks whether it is the system's setting (Linux 6.6).
func whoForbids() string {
	const setting = "kernel.io_uring_disabled"
	b, err := os.ReadFile("/proc/sys/kernel/io_uring_disabled")
	if err == nil && len(b) > 0 && b[0] != '0' {
		return fmt.Sprintf("sysctl %s is %c; 0 allows it", setting, b[0])
	}
	return "a seccomp filter or security module, as in most containers"
}

func (r *ring) mmap(p *params) (err error) {
	if p.features&featSingleMmap == 0 {
		return errors.New("two mappings") // not since Linux 5.4
	}
	const access, sharing = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	size := max(p.sq.array+p.sqEntries*4, p.cq.cqes()+p.cqEntries*uint32(unsafe.Sizeof(cqe{})))
	if r.rings, err = unix.Mmap(r.fd, 0, int(size), access, sharing); err != nil {
		return err
	}
	if r.sqeM, err = unix.Mmap(r.fd, offSQEs, int(p.sqEntries)*int(unsafe.Sizeof(sqe{})), access, sharing); err != nil {
		return err
	}
	word := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.rings[offset])) }
	r.sqHead, r.sqTail, r.sqMask = word(p.sq.head), word(p.sq.tail), *word(p.sq.mask)
	r.cqHead, r.cqTail, r.cqMask = word(p.cq.head), word(p.cq.tail), *word(p.cq.mask)
	r.sqes = unsafe.Slice((*sqe)(unsafe.Pointer(&r.sqeM[0])), p.sqEntries)
	r.cqes = unsafe.Slice((*cqe)(unsafe.Pointer(&r.rings[p.cq.cqes()])), p.cqEntries)
	// Requests are handed over in the order of their places.
	for i := range p.sqEntries {
		*word(p.sq.array + 4*i) = i
	}
	return nil
}

func (r *ring) close() {
	unix.Close(r.fd)
	if r.rings != nil {
		_ = unix.Munmap(r.rings)
	}
	if r.sqeM != nil {
		_ = unix.Munmap(r.sqeM)
	}
}

// request returns a place for a request; it is handed over by the next enter.
func (r *ring) request() *sqe {
	for r.tail-atomic.LoadUint32(r.sqHead) == uint32(len(r.sqes)) {
		r.enter(0)
	}
	s := &r.sqes[r.tail&r.sqMask]
	r.tail++
	*s = sqe{}
	return s
}

// enter hands requests over and waits for a number of completions. It fails only if
// it is called in a wrong way.
func (r *ring) enter(wait int) {
	atomic.StoreUint32(r.sqTail, r.tail)
	flags := 0
	if wait > 0 {
		flags = enterGetEvents
	}
	submit := r.tail - atomic.LoadUint32(r.sqHead)
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(submit), uintptr(wait), uintptr(flags), 0, 0)
	switch errno {
	case 0, unix.EINTR, unix.EAGAIN, unix.EBUSY: // the caller sees how far it has come
	default:
		panic("BUG: io_uring_enter: " + errno.Error())
	}
}

// next returns the next completion, if there is one.
func (r *ring) next() (c cqe, ok bool) {
	head := *r.cqHead
	if head == atomic.LoadUint32(r.cqTail) {
		return c, false
	}
	c = r.cqes[head&r.cqMask]
	atomic.StoreUint32(r.cqHead, head+1)
	return c, true
}
