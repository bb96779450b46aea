//go:build linux

package watchtest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/idle/watch"
)

// Rig is a watcher that watches a service.
type Rig struct {
	watch.Watcher
	// Dual and V4 are where clients connect to, and Other what is not watched.
	Dual, V4, Other netip.AddrPort
	// Looks says that the watcher sees bytes only when it looks, and that it is to
	// be waited for.
	Looks bool
}

// Direct is the rig of a watcher that is not in the way.
func (s *Service) Direct(w watch.Watcher, looks bool) *Rig {
	return &Rig{Watcher: w, Dual: s.Dual, V4: s.V4, Other: s.Other, Looks: looks}
}

// Log collects the events of a watcher.
type Log struct {
	t testing.TB

	mu     sync.Mutex
	events []watch.Event
	more   chan struct{}
}

// Follow runs a watcher until the test ends, and collects its events.
func Follow(t testing.TB, w watch.Watcher) *Log {
	l := &Log{t: t, more: make(chan struct{}, 1)}
	Run(t, w, l.add)
	return l
}

// Run runs a watcher until the test ends.
func Run(t testing.TB, w watch.Watcher, sink func(watch.Event)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, sink) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run watcher: %v", err)
		}
		if err := w.Close(); err != nil {
			t.Errorf("close watcher: %v", err)
		}
	})
}

func (l *Log) add(e watch.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// Events are the events so far.
func (l *Log) Events() []watch.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// Await waits for the event of a kind about a client.
func (l *Log) Await(kind watch.Kind, client netip.AddrPort) watch.Event {
	l.t.Helper()
	for timeout := time.After(patience); ; {
		for _, e := range l.Events() {
			if e.Kind == kind && e.Client == client {
				return e
			}
		}
		select {
		case <-l.more:
		case <-timeout:
			l.t.Fatalf("no event of kind %d about %v in %+v", kind, client, l.Events())
		}
	}
}

// step is a connection of the scenario.
type step struct {
	name string
	at   func(*Rig) netip.AddrPort
	do   func(*Client, *Rig)
}

func dual4(r *Rig) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), r.Dual.Port())
}
func dual6(r *Rig) netip.AddrPort { return netip.AddrPortFrom(netip.IPv6Loopback(), r.Dual.Port()) }
func v4(r *Rig) netip.AddrPort    { return r.V4 }
func other(r *Rig) netip.AddrPort {
	return netip.AddrPortFrom(netip.IPv6Loopback(), r.Other.Port())
}

var scenario = []step{
	{"IPv4, closed by the client", v4, func(c *Client, r *Rig) {
		c.Ask(1000, 2000)
		r.rest(1000, 2000)
		c.Close()
	}},
	{"IPv6, closed by the client", dual6, func(c *Client, r *Rig) {
		c.Ask(100_000, 20)
		r.rest(100_000, 20)
		c.Close()
	}},
	{"IPv4 to a socket of IPv6", dual4, func(c *Client, r *Rig) {
		c.Ask(20, 100_000)
		r.rest(20, 100_000)
		c.Close()
	}},
	{"not watched", other, func(c *Client, r *Rig) {
		c.Ask(1000, 1000)
		c.Close()
	}},
	{"closed by the service", dual6, func(c *Client, r *Rig) {
		c.send(3000, 4000, byService)
		c.receive(4000)
		r.rest(3000, 4000)
		r.end(c)
		c.awaitEnd()
		c.Close()
	}},
	{"half-closed by the client", v4, func(c *Client, r *Rig) {
		c.send(5000, 6000, byService)
		if err := c.CloseWrite(); err != nil {
			c.t.Fatal(err)
		}
		c.receive(6000)
		r.rest(5000, 6000)
		r.end(c)
		c.awaitEnd()
		c.Close()
	}},
	{"reset by the client", dual4, func(c *Client, r *Rig) {
		c.Ask(700, 800)
		r.rest(700, 800)
		c.Reset()
	}},
	{"without a word", v4, func(c *Client, r *Rig) {
		c.Close()
	}},
}

// rest waits until the watcher has seen what the only connection has moved.
func (r *Rig) rest(in, out uint64) {
	want := watch.Bytes{In: in, Out: out, Known: true}
	for deadline := time.Now().Add(patience); r.Looks && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		seen := false
		_ = r.Moved(func(_ uint64, b watch.Bytes) { seen = seen || b == want })
		if seen {
			return
		}
	}
}

// end makes the service close a connection.
func (r *Rig) end(c *Client) {
	say := Dial(c.t, other(r))
	say.send(requestLen, 0, sayingSo)
	say.awaitEnd()
	say.Close()
}

// want is what the scenario gives, whoever watches.
const want = `opened: IPv4, closed by the client
closed: IPv4, closed by the client, 1000 in, 2000 out
opened: IPv6, closed by the client
closed: IPv6, closed by the client, 100000 in, 20 out
opened: IPv4 to a socket of IPv6
closed: IPv4 to a socket of IPv6, 20 in, 100000 out
opened: closed by the service
closed: closed by the service, 3000 in, 4000 out
opened: half-closed by the client
closed: half-closed by the client, 5000 in, 6000 out
opened: reset by the client
closed: reset by the client, 700 in, 800 out
opened: without a word
closed: without a word, 0 in, 0 out
`

// Scenario plays the scenario and compares the events.
func Scenario(t *testing.T, r *Rig) {
	l := Follow(t, r.Watcher)
	names := make(map[netip.AddrPort]string)
	for _, s := range scenario {
		began := time.Now()
		c := Dial(t, s.at(r))
		names[c.Addr()] = s.name
		watched := s.at(r).Port() != r.Other.Port()
		if watched {
			checkOpened(t, l.Await(watch.Opened, c.Addr()), s.at(r).Port(), began)
		}
		s.do(c, r)
		if watched {
			checkClosed(t, l.Await(watch.Closed, c.Addr()), began)
		}
	}
	if got := describe(l.Events(), names); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// slack is for what two clocks may differ by.
const slack = 50 * time.Millisecond

// Settle checks that after Settle it is known who has come before.
func Settle(t *testing.T, r *Rig) {
	l := Follow(t, r.Watcher)
	known := func(c *Client) bool {
		return slices.ContainsFunc(l.Events(), func(e watch.Event) bool { return e.Kind == watch.Opened && e.Client == c.Addr() })
	}
	// What Run itself does in the beginning is not meant.
	first := Dial(t, v4(r))
	for deadline := time.Now().Add(patience); !known(first); {
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("a connection is not known")
		}
	}
	for range 20 {
		c := Dial(t, v4(r))
		if err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !known(c) {
			t.Fatal("who came before is not known after it")
		}
	}
}

func checkOpened(t *testing.T, e watch.Event, port uint16, began time.Time) {
	t.Helper()
	if e.Port != port {
		t.Errorf("opened to port %d, not %d", e.Port, port)
	}
	if e.Opened.Before(began.Add(-slack)) || e.Opened.After(time.Now().Add(slack)) || e.Time != e.Opened {
		t.Errorf("opened at %v, told for %v, but it was after %v", e.Opened, e.Time, began)
	}
	if e.Found {
		t.Error("found, but it was opened under the watcher's eyes")
	}
}

func checkClosed(t *testing.T, e watch.Event, began time.Time) {
	t.Helper()
	if lasted := e.Time.Sub(e.Opened); lasted < 0 || lasted > time.Since(began)+slack {
		t.Errorf("lasted %v of %v", lasted, time.Since(began))
	}
}

// describe writes events down, with what differs each time left out.
func describe(events []watch.Event, names map[netip.AddrPort]string) string {
	var b strings.Builder
	for _, e := range events {
		name := names[e.Client]
		if name == "" {
			name = "somebody else, " + e.Client.String()
		}
		switch e.Kind {
		case watch.Opened:
			fmt.Fprintf(&b, "opened: %s\n", name)
		case watch.Closed:
			if !e.Bytes.Known {
				fmt.Fprintf(&b, "closed: %s\n", name)
				continue
			}
			fmt.Fprintf(&b, "closed: %s, %d in, %d out\n", name, e.Bytes.In, e.Bytes.Out)
		case watch.Refused:
			fmt.Fprintf(&b, "refused: %s\n", name)
		}
	}
	return b.String()
}
