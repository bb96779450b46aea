//go:build linux

// Package procfs watches connections by reading /proc/net/tcp and tcp6 again and
// again. It needs no rights and works on every kernel, but what lives for less than
// the time between two looks is not seen, and each look costs time for every socket
// of the network namespace. What connections have moved it asks sock_diag for, if
// that is there: then the last look before the end counts.
package procfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/waggle-bpf/waggle/idle/watch"
	"github.com/waggle-bpf/waggle/idle/watch/sockets"
)

// Options say what to watch.
type Options struct {
	// Ports are the service's ports. If there is none, all count on which somebody
	// listens.
	Ports []uint16
	// PID is a process in the network namespace to watch; 0 for the calling thread's.
	// Bytes are known of the latter only.
	PID int
	// Every is the pause between two looks: half a second if it is 0. It is longer
	// if looking takes long.
	Every time.Duration

	eager bool // don't mind how long looking takes
}

const (
	defaultEvery = 500 * time.Millisecond
	// The kernel goes through its whole table of connections each time, which has its
	// size by the machine's memory: 256 Ki places take 15 ms. Of the time, a
	// twentieth is spent looking, or more if the pause would be longer than that of
	// a second from look to look; but no more than a fifth.
	fewest, most = 20, 5
	longest      = 850 * time.Millisecond
)

// pause is how long to wait after a look that took so long.
func (o *Options) pause(took time.Duration) time.Duration {
	if o.eager {
		return o.Every
	}
	return max(o.Every, min(fewest*took, longest), most*took)
}

// Watcher looks which connections there are.
type Watcher struct {
	options Options
	proc    *sockets.Proc
	diag    *sockets.Diag // nil if there is none

	turn sync.Mutex // one look at a time, its events included
	sink func(watch.Event)

	mu    sync.Mutex // of what follows; who writes has the turn
	conns map[key]*conn
	last  uint64 // the number given last
	round uint64
}

// key tells open connections apart.
type key struct {
	client netip.AddrPort
	port   uint16
}

type conn struct {
	watch.Conn
	cookie uint64 // 0 if not known
	bytes  watch.Bytes
	round  uint64 // when it was seen last
}

// Open prepares to watch.
func Open(o Options) (*Watcher, error) {
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	w := &Watcher{options: o, conns: make(map[key]*conn)}
	var err error
	if w.proc, err = sockets.OpenProc(o.PID); err != nil {
		return nil, err
	}
	if o.PID == 0 {
		w.diag, _ = sockets.OpenDiag() // without it there are no bytes
	}
	if _, err := w.look(time.Now(), true); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Name implements watch.Watcher.
func (w *Watcher) Name() string { return "procfs" }

// Where implements watch.Watcher.
func (w *Watcher) Where() string {
	return fmt.Sprintf("/proc/net/tcp every %v", w.options.Every)
}

// Close implements watch.Watcher.
func (w *Watcher) Close() error {
	err := w.proc.Close()
	if w.diag != nil {
		err = errors.Join(err, w.diag.Close())
	}
	return err
}

// Run implements watch.Watcher.
func (w *Watcher) Run(ctx context.Context, sink func(watch.Event)) error {
	w.begin(sink)
	for {
		began := time.Now()
		if err := w.Settle(ctx); err != nil {
			return err
		}
		pause := time.NewTimer(w.options.pause(time.Since(began)))
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil
		case <-pause.C:
		}
	}
}

// begin tells of the connections that were there before.
func (w *Watcher) begin(sink func(watch.Event)) {
	w.turn.Lock()
	defer w.turn.Unlock()
	w.sink = sink
	for _, c := range w.conns {
		sink(watch.Event{Kind: watch.Opened, Conn: c.Conn, Time: c.Opened})
	}
}

// Settle implements watch.Watcher: it looks.
func (w *Watcher) Settle(context.Context) error {
	w.turn.Lock()
	defer w.turn.Unlock()
	if w.sink == nil {
		return nil // Run will look
	}
	events, err := w.look(time.Now(), false)
	for _, e := range events {
		w.sink(e)
	}
	return err
}

// look lists what is there and compares it with what was there before.
func (w *Watcher) look(now time.Time, first bool) ([]watch.Event, error) {
	there, err := w.connections()
	if err != nil {
		return nil, err
	}
	return w.compare(there, now, first), nil
}

// compare returns what has happened: first what has ended, then what is new.
func (w *Watcher) compare(there []sockets.Socket, now time.Time, first bool) (events []watch.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.round++
	var fresh []*conn
	for i := range there {
		s := &there[i]
		k := key{s.Remote, s.Local.Port()}
		c := w.conns[k]
		if c != nil && (c.cookie == s.Cookie || s.Cookie == 0 || c.cookie == 0) {
			c.cookie, c.round = max(c.cookie, s.Cookie), w.round
			if s.Bytes.Known {
				c.bytes = s.Bytes
			}
			continue
		}
		if c != nil { // another one with the same ends
			events = append(events, watch.Event{Kind: watch.Closed, Conn: c.Conn, Time: now, Bytes: c.bytes})
		}
		w.last++
		c = &conn{
			Conn:   watch.Conn{ID: w.last, Client: s.Remote, Port: k.port, Opened: now, Found: first},
			cookie: s.Cookie, bytes: s.Bytes, round: w.round,
		}
		fresh = append(fresh, c)
		w.conns[k] = c // at once: a list that changes while it is read may have it twice
	}
	for k, c := range w.conns {
		if c.round != w.round {
			delete(w.conns, k)
			events = append(events, watch.Event{Kind: watch.Closed, Conn: c.Conn, Time: now, Bytes: c.bytes})
		}
	}
	slices.SortFunc(events, func(a, b watch.Event) int { return cmp.Compare(a.ID, b.ID) })
	for _, c := range fresh {
		events = append(events, watch.Event{Kind: watch.Opened, Conn: c.Conn, Time: now})
	}
	return events
}

// connections lists the connections to the service, with what they have moved if that
// can be known. The kernel gives the list out in pieces, and what happens in between may
// make it leave one out: whoever is in either list is there.
func (w *Watcher) connections() ([]sockets.Socket, error) {
	list, err := w.proc.Connections(w.options.Ports)
	if err != nil || w.diag == nil || len(list) == 0 && len(w.conns) == 0 {
		return list, err
	}
	counted := make(map[key]sockets.Socket, len(list))
	err = w.diag.Connections(w.options.Ports, func(s *sockets.Socket) {
		counted[key{s.Remote, s.Local.Port()}] = *s
	})
	for i := range list {
		s := &list[i]
		k := key{s.Remote, s.Local.Port()}
		if c, ok := counted[k]; ok {
			s.Bytes, s.Cookie = c.Bytes, c.Cookie
			delete(counted, k)
		}
	}
	for k, s := range counted {
		if w.conns[k] != nil { // else the next look finds it, if it is ours
			list = append(list, s)
		}
	}
	return list, err
}

// Moved implements watch.Watcher.
func (w *Watcher) Moved(each func(id uint64, b watch.Bytes)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		if c.bytes.Known {
			each(c.ID, c.bytes)
		}
	}
	return nil
}
