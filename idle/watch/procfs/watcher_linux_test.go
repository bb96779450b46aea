package procfs

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/idle/watch"
	"github.com/waggle-bpf/waggle/idle/watch/sockets"
	"github.com/waggle-bpf/waggle/idle/watch/watchtest"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) {
	watchtest.Serve()
	testkit.Main(m)
}

const every = 20 * time.Millisecond

func open(t *testing.T, o Options) *Watcher {
	t.Helper()
	o.Every, o.eager = every, true
	w, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestScenario(t *testing.T) {
	watchtest.NeedDiag(t)
	s := watchtest.Start(t)
	w := open(t, Options{Ports: s.Ports()})
	watchtest.Scenario(t, s.Direct(w, true))
}

func TestSettle(t *testing.T) {
	s := watchtest.Start(t)
	w, err := Open(Options{Ports: s.Ports(), Every: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	watchtest.Settle(t, s.Direct(w, true))
}

// TestWithoutDiag: the connections are there, only their bytes are not known.
func TestWithoutDiag(t *testing.T) {
	s := watchtest.Start(t)
	w := open(t, Options{PID: s.PID, Ports: s.Ports()})
	l := watchtest.Follow(t, w)
	c := watchtest.Dial(t, netip.AddrPortFrom(netip.IPv6Loopback(), s.Dual.Port()))
	l.Await(watch.Opened, c.Addr())
	c.Ask(100, 100)
	c.Reset()
	if e := l.Await(watch.Closed, c.Addr()); e.Bytes.Known {
		t.Errorf("bytes %+v, from where?", e.Bytes)
	}
}

// TestFound: what was there before is told of; without ports, whatever is accepted.
func TestFound(t *testing.T) {
	s := watchtest.Start(t)
	c := watchtest.Dial(t, s.V4)
	c.Ask(100, 200)
	w := open(t, Options{})
	l := watchtest.Follow(t, w)
	if e := l.Await(watch.Opened, c.Addr()); !e.Found {
		t.Errorf("not found but opened: %+v", e)
	}
	other := watchtest.Dial(t, netip.AddrPortFrom(netip.IPv6Loopback(), s.Other.Port()))
	if e := l.Await(watch.Opened, other.Addr()); e.Found || e.Port != s.Other.Port() {
		t.Errorf("got %+v", e)
	}
	for _, c := range []*watchtest.Client{c, other} {
		c.Reset()
		l.Await(watch.Closed, c.Addr())
	}
	if n := len(l.Events()); n != 4 {
		t.Errorf("%d events: %+v", n, l.Events())
	}
}

// TestCompare: what makes two connections the same one.
func TestCompare(t *testing.T) {
	socket := func(client string, cookie uint64) sockets.Socket {
		return sockets.Socket{
			Local:  netip.MustParseAddrPort("10.0.0.9:22"),
			Remote: netip.MustParseAddrPort(client),
			Cookie: cookie,
			Bytes:  watch.Bytes{In: cookie, Known: cookie != 0},
		}
	}
	w := &Watcher{conns: make(map[key]*conn)}
	for i, step := range []struct {
		there []sockets.Socket
		want  string
	}{
		{nil, ""},
		{[]sockets.Socket{socket("10.0.0.1:5000", 1)}, "opened 1"},
		{[]sockets.Socket{socket("10.0.0.1:5000", 1)}, ""},
		{[]sockets.Socket{socket("10.0.0.1:5000", 0)}, ""}, // not known this time
		{[]sockets.Socket{socket("10.0.0.1:5000", 2), socket("10.0.0.1:5001", 3)}, "closed 1 (1 in), opened 2, opened 3"},
		{[]sockets.Socket{socket("10.0.0.1:5001", 3)}, "closed 2 (2 in)"},
		{nil, "closed 3 (3 in)"},
		{[]sockets.Socket{socket("10.0.0.1:5002", 4), socket("10.0.0.1:5002", 4)}, "opened 4"}, // twice in a list
		{nil, "closed 4 (4 in)"},
	} {
		var got []string
		for _, e := range w.compare(step.there, time.Now(), false) {
			if e.Kind == watch.Closed {
				got = append(got, fmt.Sprintf("closed %d (%d in)", e.ID, e.Bytes.In))
			} else {
				got = append(got, fmt.Sprintf("opened %d", e.ID))
			}
		}
		if got := strings.Join(got, ", "); got != step.want {
			t.Errorf("step %d: got %s, want %s", i, got, step.want)
		}
	}
}

func TestPause(t *testing.T) {
	o := Options{Every: defaultEvery}
	for took, want := range map[time.Duration]time.Duration{
		0:                      500 * time.Millisecond,
		30 * time.Millisecond:  600 * time.Millisecond,
		100 * time.Millisecond: 850 * time.Millisecond,
		time.Second:            5 * time.Second,
	} {
		if got := o.pause(took); got != want {
			t.Errorf("after %v: %v, want %v", took, got, want)
		}
	}
}

func TestBadInput(t *testing.T) {
	if _, err := Open(Options{PID: 1 << 30}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
