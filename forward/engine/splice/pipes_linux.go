package splice

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// The capacities of pipes in bytes. Below 256 KiB throughput falls, at 64 KiB by a
// third; with 1 MiB it costs a fifth less, but slow readers can fill pipes, and
// unprivileged processes get only 64 MiB in all (fs.pipe-user-pages-soft; see
// pipe(7)). So the first few are large, the others are not.
const (
	PipeSize      = 256 << 10
	largePipeSize = 1 << 20
	maxLargePipes = 16
)

// maxIdle is how many pipes are kept for those who need one next.
const maxIdle = 32

// pipe is a kernel pipe, empty but for those who hold it.
type pipe struct{ r, w, size int }

func newPipe(size int) (*pipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	p := &pipe{fds[0], fds[1], size}
	got, err := unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, size)
	if err == nil && got < size {
		err = fmt.Errorf("got %d bytes", got)
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("set size of pipe: %w", err)
	}
	return p, nil
}

func (p *pipe) close() {
	_ = unix.Close(p.r)
	_ = unix.Close(p.w)
}

// pipes is a bounded pool.
type pipes struct {
	mu     sync.Mutex
	idle   []*pipe // the last one used is the next: its pages are warm
	open   int     // idle or held
	large  int     // those of them that are large
	max    int
	closed bool
	why    error // the last refusal's cause
}

// get returns a full-size pipe, nil if there is none to be had.
func (ps *pipes) get() *pipe {
	ps.mu.Lock()
	if n := len(ps.idle); n > 0 {
		p := ps.idle[n-1]
		ps.idle = ps.idle[:n-1]
		ps.mu.Unlock()
		return p
	}
	if ps.open >= ps.max {
		ps.mu.Unlock()
		return nil
	}
	size := PipeSize
	if ps.large < maxLargePipes {
		size = largePipeSize
	}
	ps.count(size, 1)
	ps.mu.Unlock()

	p, err := newPipe(size)
	if err != nil {
		ps.mu.Lock()
		ps.count(size, -1)
		ps.why = err
		ps.mu.Unlock()
		return nil
	}
	return p
}

// count counts n more open pipes.
func (ps *pipes) count(size, n int) {
	ps.open += n
	if size == largePipeSize {
		ps.large += n
	}
}

// put takes an empty pipe back.
func (ps *pipes) put(p *pipe) {
	ps.mu.Lock()
	keep := len(ps.idle) < maxIdle && !ps.closed
	if keep {
		ps.idle = append(ps.idle, p)
	} else {
		ps.count(p.size, -1)
	}
	ps.mu.Unlock()
	if !keep {
		p.close()
	}
}

// discard closes a pipe that still has something in it.
func (ps *pipes) discard(p *pipe) {
	ps.mu.Lock()
	ps.count(p.size, -1)
	ps.mu.Unlock()
	p.close()
}

func (ps *pipes) close() {
	ps.mu.Lock()
	idle := ps.idle
	ps.idle, ps.closed = nil, true
	for _, p := range idle {
		ps.count(p.size, -1)
	}
	ps.mu.Unlock()
	for _, p := range idle {
		p.close()
	}
}

func (ps *pipes) state() (open, idle int, why error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.open, len(ps.idle), ps.why
}
