//go:build linux

package sockops

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/waggle-bpf/waggle/idle/watch"
	"github.com/waggle-bpf/waggle/idle/watch/sockets"
	"github.com/waggle-bpf/waggle/internal/cgroup"
)

// lister lists the connections that there are.
type lister interface {
	Connections(sockets.Ports, func(*sockets.Socket)) error
	Close() error
	cookies() bool // whether it knows them
}

type (
	diagLister struct{ *sockets.Diag }
	procLister struct{ *sockets.Proc }
)

func (diagLister) cookies() bool { return true }
func (procLister) cookies() bool { return false }

func (l procLister) Connections(ports sockets.Ports, each func(*sockets.Socket)) error {
	list, err := l.Proc.Connections(ports)
	for i := range list {
		each(&list[i])
	}
	return err
}

// openLister prefers what knows cookies and cgroups, and counts bytes.
func openLister() (lister, error) {
	if d, err := sockets.OpenDiag(); err == nil {
		return diagLister{d}, nil
	}
	p, err := sockets.OpenProc(0)
	if err != nil {
		return nil, err
	}
	return procLister{p}, nil
}

// lookEvery is how often to look after connections that were there before the
// program, as long as there are any.
const lookEvery = time.Second

// follow looks after the connections that no event will tell of.
func (w *Watcher) follow(ctx context.Context) error {
	for {
		w.mu.Lock()
		silent := w.silent
		w.mu.Unlock()
		var next <-chan time.Time
		if silent > 0 {
			next = time.After(lookEvery)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.found:
		case <-next:
			if err := w.look(later); err != nil {
				return err
			}
		}
	}
}

// reason is why to look what connections there are.
type reason int

const (
	before reason = iota // the program tells nothing of those that were there before it
	later                // so see whether these are over
	loss                 // events were lost
)

// look compares what is known with what is there.
func (w *Watcher) look(why reason) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lookLocked(why)
}

func (w *Watcher) lookLocked(why reason) error {
	accepted, err := w.filter()
	if err != nil {
		return err
	}
	now := time.Now()
	there := make(map[uint64]bool)
	// The kernel gives the list out in pieces, and what happens in between may make it
	// leave one out: who is gone is in neither of two.
	for range 2 {
		err = w.list.Connections(w.options.Ports, func(s *sockets.Socket) {
			if accepted(s) {
				there[w.seen(s, why, now)] = true
			}
		})
		if err != nil {
			return err
		}
		if len(w.gone(there, why)) == 0 {
			return nil
		}
	}
	for _, id := range w.gone(there, why) {
		c := w.conns[id]
		w.closed(id, c, now, c.bytes)
	}
	return nil
}

// gone are the connections that are over, by what is there.
func (w *Watcher) gone(there map[uint64]bool, why reason) (ids []uint64) {
	for id, c := range w.conns {
		if !there[id] && (c.silent || why == loss) {
			ids = append(ids, id)
		}
	}
	return ids
}

// seen takes a connection that is there, and returns its number.
func (w *Watcher) seen(s *sockets.Socket, why reason, now time.Time) uint64 {
	id, c := w.find(s.Cookie, s.Remote, s.Local.Port())
	if c == nil && why == later {
		return 0
	}
	if c == nil {
		id, c = w.add(s, now)
	}
	if c.silent {
		c.bytes = s.Bytes
	}
	return id
}

// add adds a connection that was found by looking. Whether an event will tell of its end
// is not known: one may have been lost, or have been read already.
func (w *Watcher) add(s *sockets.Socket, now time.Time) (id uint64, c *conn) {
	if id = s.Cookie; id == 0 {
		w.made--
		id = w.made
	}
	c = &conn{Conn: watch.Conn{ID: id, Client: s.Remote, Port: s.Local.Port(), Opened: now, Found: true}, silent: true}
	w.conns[id] = c
	w.silent++
	select {
	case w.found <- struct{}{}:
	default:
	}
	if w.sink != nil { // else Run will tell
		w.sink(watch.Event{Kind: watch.Opened, Conn: c.Conn, Time: now})
	}
	return id, c
}

// allKnown tells whether all connections are known that there are.
func (w *Watcher) allKnown() (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	accepted, err := w.filter()
	if err != nil {
		return false, err
	}
	known := true
	err = w.list.Connections(w.options.Ports, func(s *sockets.Socket) {
		_, c := w.find(s.Cookie, s.Remote, s.Local.Port())
		known = known && (c != nil || !accepted(s))
	})
	return known, err
}

// filter returns what tells the connections that sockets of the cgroup have accepted
// from others of the network namespace.
func (w *Watcher) filter() (func(*sockets.Socket) bool, error) {
	d, ok := w.list.(diagLister)
	if !ok {
		all := len(w.options.Ports) == 0
		return func(*sockets.Socket) bool { return !all }, nil
	}
	groups, err := cgroup.IDs(w.place.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // which stay will see to
		return nil, err
	}
	listening := make(map[uint16]bool)
	err = d.Listeners(w.options.Ports, func(s *sockets.Socket) { listening[s.Local.Port()] = true })
	return func(s *sockets.Socket) bool {
		return listening[s.Local.Port()] && (s.Cgroup == 0 || groups[s.Cgroup])
	}, err
}
