package sockops

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/waggle-bpf/waggle/idle/watch"
	"github.com/waggle-bpf/waggle/idle/watch/watchtest"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load/probe"
)

func TestMain(m *testing.M) {
	watchtest.Serve()
	testkit.Main(m)
}

func open(t *testing.T, o Options) *Watcher {
	t.Helper()
	testkit.RequireRoot(t)
	w, err := Open(o)
	testkit.Need(t, err)
	return w
}

func TestScenario(t *testing.T) {
	s := watchtest.Start(t)
	w := open(t, Options{Cgroup: s.Cgroup, Ports: s.Ports()})
	watchtest.Scenario(t, s.Direct(w, false))
}

func TestSettle(t *testing.T) {
	s := watchtest.Start(t)
	w := open(t, Options{Cgroup: s.Cgroup, Ports: s.Ports()})
	watchtest.Settle(t, s.Direct(w, false))
}

// TestLatency: events come at once. The median says so even where other tests have
// the machine.
func TestLatency(t *testing.T) {
	s := watchtest.Start(t)
	w := open(t, Options{Cgroup: s.Cgroup, Ports: s.Ports()})
	type heard struct {
		watch.Event
		at time.Time
	}
	events := make(chan heard, 1)
	watchtest.Run(t, w, func(e watch.Event) { events <- heard{e, time.Now()} })
	var opens, closes []time.Duration
	for range 51 {
		before := time.Now()
		c := watchtest.Dial(t, s.V4)
		e := <-events
		opens = append(opens, e.at.Sub(before))
		before = time.Now()
		c.Reset()
		e = <-events
		closes = append(closes, e.at.Sub(before))
	}
	for name, list := range map[string][]time.Duration{"open": opens, "close": closes} {
		slices.Sort(list)
		t.Logf("%s: median %v, most %v", name, list[len(list)/2], list[len(list)-1])
		if median := list[len(list)/2]; median > 5*time.Millisecond && !testkit.InVM() { // which may be an emulator
			t.Errorf("%s is noticed after %v", name, median)
		}
	}
}

// TestFound: connections that were there before are told of, and so is their end.
func TestFound(t *testing.T) {
	s := watchtest.Start(t)
	stays, goes := watchtest.Dial(t, s.V4), watchtest.Dial(t, netip.AddrPortFrom(netip.IPv6Loopback(), s.Dual.Port()))
	for _, c := range []*watchtest.Client{stays, goes} {
		c.Ask(300, 400)
	}
	stranger := watchtest.Dial(t, s.Other)
	defer stranger.Close()
	w := open(t, Options{Cgroup: s.Cgroup, Ports: s.Ports()})
	l := watchtest.Follow(t, w)
	for _, c := range []*watchtest.Client{stays, goes} {
		if e := l.Await(watch.Opened, c.Addr()); !e.Found {
			t.Errorf("not found but opened: %+v", e)
		}
	}
	goes.Close()
	e := l.Await(watch.Closed, goes.Addr())
	if want := (watch.Bytes{In: 300, Out: 400, Known: true}); w.list.cookies() && e.Bytes != want {
		t.Errorf("got %+v, want %+v", e.Bytes, want)
	}
	if n := len(l.Events()); n != 3 {
		t.Errorf("%d events: %+v", n, l.Events())
	}
}

// TestForeign: without ports, all connections of the cgroup count, but not those of
// others, nor those that it makes itself.
func TestForeign(t *testing.T) {
	s, neighbour := watchtest.Start(t), watchtest.Start(t)
	before := watchtest.Dial(t, neighbour.V4)
	before.Ask(100, 100)
	w := open(t, Options{Cgroup: s.Cgroup})
	l := watchtest.Follow(t, w)
	watchtest.Dial(t, neighbour.V4).Ask(100, 100)
	c := watchtest.Dial(t, s.Other)
	l.Await(watch.Opened, c.Addr())
	c.Reset()
	l.Await(watch.Closed, c.Addr())
	if n := len(l.Events()); n != 2 {
		t.Errorf("%d events: %+v", n, l.Events())
	}
}

// TestMoved: bytes of open connections can be asked for.
func TestMoved(t *testing.T) {
	watchtest.NeedDiag(t)
	s := watchtest.Start(t)
	w := open(t, Options{Cgroup: s.Cgroup, Ports: s.Ports()})
	l := watchtest.Follow(t, w)
	c := watchtest.Dial(t, s.V4)
	id := l.Await(watch.Opened, c.Addr()).ID
	c.Ask(2000, 3000)
	var got watch.Bytes
	if err := w.Moved(func(n uint64, b watch.Bytes) {
		if n == id {
			got = b
		}
	}); err != nil {
		t.Fatal(err)
	}
	if want := (watch.Bytes{In: 2000, Out: 3000, Known: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestLoss: more happens than the buffer has room for, while nobody reads. In the
// end the watcher knows what is open nevertheless.
func TestLoss(t *testing.T) {
	s := watchtest.Start(t)
	w := open(t, Options{Cgroup: s.Cgroup, Ports: s.Ports(), ring: 4096})
	open := make(map[netip.AddrPort]bool)
	blocked, proceed, events := make(chan bool), make(chan bool), make(chan watch.Event, 4096)
	first := true
	watchtest.Run(t, w, func(e watch.Event) {
		if first {
			first = false
			blocked <- true
			<-proceed
		}
		events <- e
	})
	last := watchtest.Dial(t, s.V4)
	<-blocked
	early := watchtest.Dial(t, s.V4)
	for range 200 {
		watchtest.Dial(t, s.V4).Reset()
	}
	late := watchtest.Dial(t, s.V4)
	early.Reset()
	proceed <- true
	last.Reset() // which the watcher hears of, and looks around
	want := map[netip.AddrPort]bool{late.Addr(): true}
	for deadline := time.After(20 * time.Second); len(open) != 1 || !open[late.Addr()] || len(events) > 0; {
		select {
		case e := <-events:
			if e.Kind == watch.Opened {
				open[e.Client] = true
			} else if !open[e.Client] {
				t.Errorf("closed without being open: %+v", e)
			}
			if e.Kind == watch.Closed {
				delete(open, e.Client)
			}
		case <-deadline:
			t.Fatalf("open are %v, want %v", open, want)
		}
	}
	if missed, err := w.kernel.Missed.Get(); err != nil || missed == 0 {
		t.Errorf("lost %d, %v; the test is about loss", missed, err)
	}
	late.Reset()
	if e := <-events; e.Kind != watch.Closed || e.Client != late.Addr() {
		t.Errorf("got %+v, want the last one's end", e)
	}
}

// finder is where a service is, for Find.
type finder struct{ dir atomic.Pointer[string] }

func (f *finder) is(dir string) { f.dir.Store(&dir) }
func (f *finder) find() (string, error) {
	return *f.dir.Load(), nil
}

// TestRestart: the service is started anew, in another cgroup: when the old one goes, the
// watcher follows.
func TestRestart(t *testing.T) {
	watchtest.NeedDiag(t)
	var f finder
	first := testkit.NewCgroup(t)
	dir := filepath.Join(first.Path, "first")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f.is(dir)
	notices := make(chan string, 10)
	w := open(t, Options{Cgroup: dir, Find: f.find, Notice: func(s string) { notices <- s }})
	l := watchtest.Follow(t, w)
	f.is("")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if got, want := <-notices, "the service has left cgroup "+dir; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := w.Settle(t.Context()); err != nil {
		t.Errorf("while the service does not run: %v", err)
	}
	s := watchtest.Start(t)
	before := watchtest.Dial(t, s.V4)
	before.Ask(100, 100)
	f.is(s.Cgroup)
	if got, want := <-notices, "the service is in cgroup "+s.Cgroup; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	after := watchtest.Dial(t, s.V4)
	if e := l.Await(watch.Opened, before.Addr()); !e.Found {
		t.Errorf("not found but opened: %+v", e)
	}
	if e := l.Await(watch.Opened, after.Addr()); e.Found {
		t.Errorf("not opened but found: %+v", e)
	}
	for _, c := range []*watchtest.Client{before, after} {
		c.Reset()
		l.Await(watch.Closed, c.Addr())
	}
	if n := attached(t, s.Cgroup); n != 1 {
		t.Errorf("%d programs attached", n)
	}
}

// TestElsewhere: the service is somewhere else although its cgroup is still there. That is
// noticed when it matters, and the connections of the old one are over.
func TestElsewhere(t *testing.T) {
	watchtest.NeedDiag(t)
	var f finder
	first, second := watchtest.Start(t), watchtest.Start(t)
	f.is(first.Cgroup)
	w := open(t, Options{Cgroup: first.Cgroup, Find: f.find})
	l := watchtest.Follow(t, w)
	old := watchtest.Dial(t, first.V4)
	l.Await(watch.Opened, old.Addr())
	c := watchtest.Dial(t, second.V4)
	f.is(second.Cgroup)
	if err := w.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	events := l.Events()
	if len(events) != 3 || events[1].Kind != watch.Closed || events[1].Client != old.Addr() || events[2].Kind != watch.Opened || events[2].Client != c.Addr() {
		t.Errorf("got %+v", events)
	}
	if n, m := attached(t, first.Cgroup), attached(t, second.Cgroup); n != 0 || m != 1 {
		t.Errorf("%d programs are attached to the first and %d to the second", n, m)
	}
}

// TestClose: nothing stays attached.
func TestClose(t *testing.T) {
	s := watchtest.Start(t)
	w := open(t, Options{Cgroup: s.Cgroup, Ports: s.Ports()})
	if n := attached(t, s.Cgroup); n != 1 {
		t.Errorf("%d programs attached", n)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := attached(t, s.Cgroup); n != 0 {
		t.Errorf("%d programs attached after Close", n)
	}
}

func attached(t *testing.T, dir string) int {
	t.Helper()
	fd, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	res, err := link.QueryPrograms(link.QueryOptions{Target: int(fd.Fd()), Attach: ebpf.AttachCGroupSockOps})
	if err != nil {
		t.Fatal(err)
	}
	return len(res.Programs)
}

func TestBadInput(t *testing.T) {
	testkit.RequireRoot(t)
	root, err := probe.Cgroup2()
	if err != nil {
		t.Fatal(err)
	}
	for dir, text := range map[string]string{
		root:         "it is the root of all",
		"/nowhere":   "no such file",
		t.TempDir():  "not a control group of version 2",
		"/proc/stat": "not a directory",
	} {
		w, err := Open(Options{Cgroup: dir})
		if err == nil {
			w.Close()
		}
		if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", dir, err, text)
		}
	}
	if _, err := Open(Options{Cgroup: "/nowhere"}); errors.Is(err, ebpf.ErrNotSupported) {
		t.Error("a cgroup that doesn't exist is not a feature that the kernel lacks")
	}
}
