//go:build linux

package sockops

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/idle/watch"
	"github.com/waggle-bpf/waggle/idle/watch/sockets"
	"github.com/waggle-bpf/waggle/idle/watch/sockops/kern"
	"github.com/waggle-bpf/waggle/load"
)

// Options say what to watch.
type Options struct {
	// Cgroup is the directory of the cgroup (version 2) whose processes have made
	// the sockets that listen. The root cgroup has everybody's and is refused,
	// unless Root says that this is wanted.
	Cgroup string
	Root   bool
	// Find finds out where the service is now: in another cgroup if others have started
	// it anew, in none ("") while it does not run. It is nil for a cgroup that stays.
	Find func() (dir string, err error)
	// Notice is told, in a line, that the service has moved. It may be nil.
	Notice func(string)
	// Ports are the service's ports; all if there is none.
	Ports []uint16

	ring uint32 // size of the buffer in bytes, if it is not to be the usual
}

// Watcher watches the connections that a cgroup's sockets accept.
type Watcher struct {
	options Options
	kernel  *Kern
	events  *load.Stream[kern.Event]
	list    lister
	found   chan struct{} // by looking: follow has something to do

	turn sync.Mutex // one move at a time

	mu       sync.Mutex // of what follows, and of sink while it runs
	place    place
	rearm    func() // makes who waits for the place's end look again
	sink     func(watch.Event)
	conns    map[uint64]*conn
	silent   int    // how many of them are
	made     uint64 // the number made up last
	lost     uint64 // as of when we last looked
	lookedAt uint64 // by the events' clock, after a loss
}

// conn is an open connection.
type conn struct {
	watch.Conn
	// silent says that perhaps no event will tell of the end: the connection was there
	// before the program, or was found when events were lost.
	silent bool
	bytes  watch.Bytes // of a silent one, when we last looked
}

// Open loads the program and attaches it. It needs the rights to do so (CAP_BPF and
// CAP_NET_ADMIN, or root) and Linux 5.8.
func Open(o Options) (_ *Watcher, err error) {
	w := &Watcher{options: o, conns: make(map[uint64]*conn), found: make(chan struct{}, 1), rearm: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.list, err = openLister(); err != nil {
		return nil, err
	}
	obj, err := OpenKern()
	if err != nil {
		return nil, err
	}
	if err := obj.SetAllPorts(len(o.Ports) == 0); err != nil {
		return nil, err
	}
	if o.ring != 0 {
		obj.Spec().Maps["Events"].MaxEntries = o.ring
	}
	if w.kernel, err = obj.Load(load.Options{}); err != nil {
		return nil, err
	}
	for _, port := range o.Ports {
		if err := w.kernel.Ports.Put(port, true); err != nil {
			return nil, err
		}
	}
	// The program wakes us for each event; there is nothing to look for in between.
	w.events, err = load.Events[kern.Event](w.kernel.Handle, "Events", load.StreamOptions{FlushInterval: 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	if err := w.attach(o.Cgroup); err != nil {
		return nil, err
	}
	return w, w.look(before)
}

// Name implements watch.Watcher.
func (w *Watcher) Name() string { return "sockops" }

// Where implements watch.Watcher.
func (w *Watcher) Where() string { return "cgroup " + w.home().dir }

// Close detaches the program.
func (w *Watcher) Close() error {
	var errs []error
	if w.events != nil {
		errs = append(errs, w.events.Close())
	}
	if w.kernel != nil {
		errs = append(errs, w.kernel.Close())
	}
	if w.list != nil {
		errs = append(errs, w.list.Close())
	}
	return errors.Join(errs...)
}

// Run implements watch.Watcher.
func (w *Watcher) Run(ctx context.Context, sink func(watch.Event)) (err error) {
	w.begin(sink)
	ctx, cancel := context.WithCancel(ctx)
	jobs := []func(context.Context) error{w.follow, w.stay}
	errs := make([]error, len(jobs))
	var others sync.WaitGroup
	for i, job := range jobs {
		others.Go(func() {
			if errs[i] = job(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	defer func() {
		cancel()
		others.Wait()
		err = errors.Join(append(errs, err, w.events.Err())...)
	}()
	for e := range w.events.All(ctx) {
		if err := w.event(e); err != nil {
			return err
		}
	}
	return nil
}

// begin tells of the connections that were there before.
func (w *Watcher) begin(sink func(watch.Event)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sink = sink
	for _, c := range w.conns {
		sink(watch.Event{Kind: watch.Opened, Conn: c.Conn, Time: c.Opened})
	}
}

// event takes an event of the kernel.
func (w *Watcher) event(e *kern.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := time.Now().Add(-time.Duration(monotonic() - e.Time))
	switch client := clientOf(e); e.Kind {
	case kern.Opened:
		w.opened(e, client, at)
	case kern.Closed:
		if id, c := w.find(e.Cookie, client, e.Port); c != nil {
			w.closed(id, c, at, watch.Bytes{In: e.In, Out: e.Out, Known: true})
		}
	}
	lost, err := w.kernel.Missed.Get()
	if err != nil {
		return err
	}
	if lost == w.lost {
		return nil
	}
	w.lost = lost
	w.lookedAt = monotonic()
	return w.lookLocked(loss)
}

func clientOf(e *kern.Event) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(e.Client).Unmap(), e.ClientPort)
}

func (w *Watcher) opened(e *kern.Event, client netip.AddrPort, at time.Time) {
	if _, c := w.find(e.Cookie, client, e.Port); c != nil {
		w.hear(c) // seen in a list before its event
		return
	}
	if e.Time < w.lookedAt {
		return // it was not there when we looked: over already, and the news of that may be lost
	}
	c := &conn{Conn: watch.Conn{ID: e.Cookie, Client: client, Port: e.Port, Opened: at}}
	w.conns[e.Cookie] = c
	w.sink(watch.Event{Kind: watch.Opened, Conn: c.Conn, Time: at})
}

// hear notes that events tell of a connection.
func (w *Watcher) hear(c *conn) {
	if c.silent {
		c.silent = false
		w.silent--
	}
}

func (w *Watcher) closed(id uint64, c *conn, at time.Time, b watch.Bytes) {
	w.hear(c)
	delete(w.conns, id)
	w.sink(watch.Event{Kind: watch.Closed, Conn: c.Conn, Time: at, Bytes: b})
}

// find looks for a connection. Without sock_diag those that were there before have a
// made-up number.
func (w *Watcher) find(cookie uint64, client netip.AddrPort, port uint16) (uint64, *conn) {
	if c := w.conns[cookie]; c != nil {
		return cookie, c
	}
	if !w.list.cookies() {
		for id, c := range w.conns {
			if c.Client == client && c.Port == port {
				return id, c
			}
		}
	}
	return 0, nil
}

// Moved implements watch.Watcher.
func (w *Watcher) Moved(each func(id uint64, b watch.Bytes)) error {
	if !w.list.cookies() {
		return nil
	}
	return w.list.Connections(w.options.Ports, func(s *sockets.Socket) { each(s.Cookie, s.Bytes) })
}

// monotonic reads the clock of the events in nanoseconds.
func monotonic() uint64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("BUG: no monotonic clock: " + err.Error())
	}
	return uint64(t.Nano())
}
