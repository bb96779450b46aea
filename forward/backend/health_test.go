package backend

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errBad = errors.New("bad")

func TestRiseAndFall(t *testing.T) {
	for _, test := range []struct {
		rise, fall int
		checks     string // + good, - bad
		want       string // the state after each: u up, d down
	}{
		{2, 3, "+++", "uuu"},
		{2, 3, "-++", "ddu"}, // the first decides alone
		{2, 3, "+--+---", "uuuuuud"},
		{2, 3, "+---+-++", "uuuddddu"},
		{1, 1, "+-+-", "udud"},
		{3, 1, "+-++-+++", "uddddddu"},
	} {
		var h health
		var got strings.Builder
		for _, c := range test.checks {
			var err error
			if c == '-' {
				err = errBad
			}
			h.checkedAs(err, test.rise, test.fall)
			if h.down {
				got.WriteByte('d')
			} else {
				got.WriteByte('u')
			}
		}
		if got.String() != test.want {
			t.Errorf("rise %d, fall %d, %s: got %s, want %s", test.rise, test.fall, test.checks, &got, test.want)
		}
	}
}

// recorder keeps what a group tells of its backends.
type recorder struct {
	mu     sync.Mutex
	events []string
}

func (r *recorder) onChange(s Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf("%s %s", s.Target, s.State))
}

func (r *recorder) want(t *testing.T, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.events, want) {
		t.Errorf("got events %q, want %q", r.events, want)
	}
	r.events = nil
}

func TestEjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		g := newGroup(t, Config{
			Targets:  targets("10.0.0.1:80", "10.0.0.2:80"),
			Eject:    Eject{After: 2, For: time.Second, Max: 3 * time.Second},
			OnChange: r.onChange,
		})
		a, b := g.targets[0].backends[0], g.targets[1].backends[0]

		g.dialFailed(a, errBad)
		r.want(t)
		g.dialFailed(a, errBad)
		r.want(t, "10.0.0.1:80 ejected")
		if s := g.Status()[0]; s.Why != "bad" || time.Until(s.Until) != time.Second {
			t.Errorf("ejected backend: why %q, until %v", s.Why, s.Until)
		}

		// The last one stays, whatever happens.
		for range 5 {
			g.dialFailed(b, errBad)
		}
		r.want(t)

		// After its time it is back, and one failure is enough now, for longer
		// each time.
		for _, d := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
			time.Sleep(d - time.Millisecond)
			synctest.Wait()
			r.want(t)
			time.Sleep(time.Millisecond)
			synctest.Wait()
			r.want(t, "10.0.0.1:80 up")
			g.dialFailed(a, errBad)
			r.want(t, "10.0.0.1:80 ejected")
		}

		// Failures of dials that began before it was ejected change nothing.
		g.dialFailed(a, errBad)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		r.want(t, "10.0.0.1:80 up")

		// One good dial makes all as it was, also one that began before the ejection.
		g.dialFailed(a, errBad)
		r.want(t, "10.0.0.1:80 ejected")
		g.dialed(a)
		r.want(t, "10.0.0.1:80 up")
		if up := g.set.Load().members; len(up) != 2 {
			t.Errorf("up are %v", up)
		}
		if a.suspect.Load() {
			t.Error("still suspect after a good dial")
		}
		g.dialFailed(a, errBad)
		r.want(t)
		g.dialFailed(a, errBad)
		r.want(t, "10.0.0.1:80 ejected")
		if s := g.Status()[0]; time.Until(s.Until) != time.Second {
			t.Errorf("ejected for %v after a good dial", time.Until(s.Until))
		}
	})
}

func TestNeverEject(t *testing.T) {
	var r recorder
	g := newGroup(t, Config{Targets: targets("10.0.0.1:80", "10.0.0.2:80"), Eject: Eject{After: -1}, OnChange: r.onChange})
	for range 100 {
		g.dialFailed(g.targets[0].backends[0], errBad)
	}
	r.want(t)
}

func TestDownAndUnavailable(t *testing.T) {
	var r recorder
	g := newGroup(t, Config{Targets: targets("10.0.0.1:80", "10.0.0.2:80"), OnChange: r.onChange})
	g.config.Check = &Check{Rise: 1, Fall: 1}
	a, b := g.targets[0].backends[0], g.targets[1].backends[0]
	g.checked(a, errBad, 0)
	g.checked(b, errors.New("worse"), 0)
	r.want(t, "10.0.0.1:80 down", "10.0.0.2:80 down")
	_, _, err := g.Dial(t.Context(), Key{})
	const want = "dial group test: no backend is up: 10.0.0.1:80: down (bad); 10.0.0.2:80: down (worse)"
	if err == nil || err.Error() != want || Reason(err) != "no backend up" {
		t.Errorf("got %v\nwant %s", err, want)
	}
	g.checked(b, nil, 0)
	r.want(t, "10.0.0.2:80 up")
	if s := g.set.Load(); len(s.members) != 1 || s.members[0] != b {
		t.Errorf("up are %v", s.members)
	}
}

// TestSuccessor: a group with a new configuration knows what the old one knew.
func TestSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Config{
			Targets: targets("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "name.test:80"),
			Eject:   Eject{After: 1, For: time.Minute},
			Resolve: answers("10.0.0.4"),
		}
		old := newGroup(t, c)
		<-old.ready
		old.config.Check = &Check{Rise: 1, Fall: 1}
		old.dialFailed(old.targets[0].backends[0], errBad)
		old.checked(old.targets[1].backends[0], errBad, 0)
		held := old.Adopt(netip.MustParseAddrPort("10.0.0.3:80"))

		var r recorder
		c.OnChange = r.onChange
		c.Targets = targets("10.0.0.2:80", "10.0.0.1:80", "name.test:80", "10.0.0.3:80", "10.0.0.5:80")
		c.Targets[0].Weight = 7
		c.Resolve = answers()
		next, err := New(c, old)
		if err != nil {
			t.Fatal(err)
		}
		defer next.Close()
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		want := []string{
			// It has no check any more to find out that it is up.
			"10.0.0.2:80 10.0.0.2:80 7 up 0",
			"10.0.0.1:80 10.0.0.1:80 1 ejected 0",
			"name.test:80 10.0.0.4:80 1 up 0",
			"10.0.0.3:80 10.0.0.3:80 1 up 1",
			"10.0.0.5:80 10.0.0.5:80 1 up 0",
		}
		for i, s := range next.Status() {
			if got := fmt.Sprint(s.Target, " ", s.Addr, " ", s.Weight, " ", s.State, " ", s.Active); got != want[i] {
				t.Errorf("got %q, want %q", got, want[i])
			}
		}
		r.want(t, "10.0.0.2:80 up")
		held.Release()
		if n := next.Status()[3].Active; n != 0 {
			t.Errorf("%d connections after the last was released", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		r.want(t, "10.0.0.1:80 up")
	})
}
