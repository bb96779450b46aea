package sockmap

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// watcher hears of connections that break. What is redirected to them vanishes, and
// nobody need be reading from them or writing to them to notice. It asks for no
// events but errors, so data wakes nobody.
type watcher struct {
	epoll *os.File
	fd    int // of it; File.Fd would make it block
	work  sync.WaitGroup

	mu    sync.Mutex
	pairs []*pair // by slot
}

func newWatcher(slots int) (*watcher, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch connections: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("watch connections: %w", err)
	}
	// Go's poller waits for the epoll, so that takes no thread.
	w := &watcher{epoll: os.NewFile(uintptr(fd), "epoll"), fd: fd, pairs: make([]*pair, slots)}
	raw, err := w.epoll.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("watch connections: %w", err)
	}
	w.work.Go(func() { _ = raw.Read(w.look) }) // until close
	return w, nil
}

func (w *watcher) close() error {
	err := w.epoll.Close()
	w.work.Wait()
	return err
}

// look handles the events that are there. It is never done.
func (w *watcher) look(epoll uintptr) (done bool) {
	var events [64]unix.EpollEvent
	for {
		n, err := unix.EpollWait(int(epoll), events[:], 0)
		if n <= 0 && err != unix.EINTR {
			return false
		}
		for i := range max(n, 0) {
			w.handle(&events[i])
		}
	}
}

// handle tells a pair that one of its connections broke. The event may be about a
// pair that has had the slot before.
func (w *watcher) handle(event *unix.EpollEvent) {
	slot, d := event.Fd/2, engine.Direction(event.Fd%2)
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.pairs[slot]; p != nil && p.number == event.Pad {
		p.ends[d].breaks()
	}
}

// add watches a pair.
func (w *watcher) add(p *pair) error {
	w.set(p.slot, p)
	for d := range p.ends {
		event := unix.EpollEvent{Events: unix.EPOLLET, Fd: int32(index(p.slot, engine.Direction(d))), Pad: p.number}
		if err := w.control(unix.EPOLL_CTL_ADD, &p.ends[d], &event); err != nil {
			return err
		}
	}
	return nil
}

// remove ends the watch. A connection that somebody has closed is gone already.
func (w *watcher) remove(p *pair) {
	for d := range p.ends {
		_ = w.control(unix.EPOLL_CTL_DEL, &p.ends[d], nil)
	}
	w.set(p.slot, nil)
}

func (w *watcher) set(slot uint32, p *pair) {
	w.mu.Lock()
	w.pairs[slot] = p
	w.mu.Unlock()
}

func (w *watcher) control(op int, e *end, event *unix.EpollEvent) error {
	return e.control(func(fd int) error { return unix.EpollCtl(w.fd, op, fd, event) })
}
