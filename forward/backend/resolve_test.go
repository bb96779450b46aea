package backend

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// answers is a name server that always gives the same addresses, and none at all if
// there are none.
func answers(addrs ...string) func(context.Context, string) ([]netip.Addr, error) {
	return func(context.Context, string) (list []netip.Addr, err error) {
		if len(addrs) == 0 {
			return nil, errors.New("no such host")
		}
		for _, a := range addrs {
			list = append(list, netip.MustParseAddr(a))
		}
		return list, nil
	}
}

// nameServer is one whose answers change.
type nameServer struct {
	mu    sync.Mutex
	addrs []string
	hosts []string // that were asked for
}

func (n *nameServer) set(addrs ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addrs = addrs
}

func (n *nameServer) asked() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.hosts)
}

func (n *nameServer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts = append(n.hosts, host)
	return answers(n.addrs...)(ctx, host)
}

func addrsOf(g *Group) string {
	var list []string
	for _, b := range g.set.Load().members {
		list = append(list, b.addr.String())
	}
	return strings.Join(list, " ")
}

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var zone nameServer
		zone.set()
		g := newGroup(t, Config{
			Targets:    []Target{{Address: "web.test:80", Weight: 3}, {Address: "10.0.0.9:80"}, {Address: "[2001:db8::1]:80"}},
			ResolveTTL: 30 * time.Second,
			Resolve:    zone.lookup,
		})
		want := func(addrs string) {
			t.Helper()
			synctest.Wait()
			if got := addrsOf(g); got != addrs {
				t.Errorf("addresses are %s, want %s", got, addrs)
			}
		}
		const literals = "10.0.0.9:80 [2001:db8::1]:80"
		want(literals)
		if !slices.Equal(zone.hosts, []string{"web.test"}) {
			t.Errorf("asked for %q", zone.hosts)
		}
		if s := g.Status()[0]; s.State != Unresolved || s.Why != "no such host" || s.Weight != 3 {
			t.Errorf("a name without address: %+v", s)
		}

		// What goes wrong is repeated sooner than after the TTL.
		zone.set("10.0.0.2", "::ffff:10.0.0.1", "10.0.0.1", "10.0.0.9")
		time.Sleep(2 * time.Second)
		want("10.0.0.1:80 10.0.0.2:80 " + literals)
		first := g.set.Load().members[0]
		if first.weight != 3 || first.String() != "web.test:80 (10.0.0.1:80)" {
			t.Errorf("backend of a name: %v, weight %d", first, first.weight)
		}

		// The order says nothing. What stays is the same backend.
		set := g.set.Load()
		zone.set("10.0.0.1", "10.0.0.2")
		time.Sleep(34 * time.Second)
		want("10.0.0.1:80 10.0.0.2:80 " + literals)
		zone.set("10.0.0.2", "10.0.0.1")
		time.Sleep(34 * time.Second)
		if g.set.Load().members[0] != set.members[0] {
			t.Error("the same answer made another backend")
		}
		zone.set("10.0.0.3", "10.0.0.1")
		time.Sleep(34 * time.Second)
		want("10.0.0.1:80 10.0.0.3:80 " + literals)
		if g.set.Load().members[0] != first {
			t.Error("an address that stayed became another backend")
		}

		// An answer that doesn't come leaves what there is.
		zone.set()
		before := zone.asked()
		time.Sleep(10 * time.Minute)
		want("10.0.0.1:80 10.0.0.3:80 " + literals)
		if n := zone.asked() - before; n < 20 || n > 40 {
			t.Errorf("asked %d times in 10 minutes without an answer", n)
		}
	})
}

// TestDoubt: the name of a backend that can't be dialled is looked up before its time, and
// not more often than once a second.
func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var zone nameServer
		zone.set("10.0.0.1")
		g := newGroup(t, Config{Targets: targets("web.test:80", "10.0.0.9:80"), ResolveTTL: time.Hour, Resolve: zone.lookup, Eject: Eject{After: -1}})
		synctest.Wait()
		g.dialFailed(g.set.Load().members[1], errBad) // has no name
		time.Sleep(time.Minute)
		if n := zone.asked(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		zone.set("10.0.0.2")
		for range 10 {
			g.dialFailed(g.set.Load().members[0], errBad)
			synctest.Wait()
		}
		if got := addrsOf(g); got != "10.0.0.2:80 10.0.0.9:80" || zone.asked() != 2 {
			t.Errorf("after dials that went wrong: %s, asked %d times", got, zone.asked())
		}
		time.Sleep(2 * time.Second)
		if n := zone.asked(); n != 3 { // once for all of those after the second
			t.Errorf("asked %d times", n)
		}
	})
}

// TestFirstAnswer: connections wait for names that were not looked up yet, for as long as
// they would wait for a connection.
func TestFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(after time.Duration, zone func(context.Context, string) ([]netip.Addr, error)) func(context.Context, string) ([]netip.Addr, error) {
			return func(ctx context.Context, host string) ([]netip.Addr, error) {
				select {
				case <-time.After(after):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
				return zone(ctx, host)
			}
		}
		for _, test := range []struct {
			after time.Duration
			zone  func(context.Context, string) ([]netip.Addr, error)
			took  time.Duration
			want  string
		}{
			{time.Second, answers("10.0.0.1"), time.Second, ""},
			{time.Second, answers(), time.Second, "dial group test: no backend is up: web.test:80: unresolved (no such host)"},
			{8 * time.Second, answers("10.0.0.1"), 5 * time.Second, "dial group test: no backend is up: web.test:80: unresolved (the name was not looked up yet)"},
		} {
			g := newGroup(t, Config{Targets: targets("web.test:80"), Resolve: slow(test.after, test.zone)})
			began := time.Now()
			_, err := g.wait(t.Context())
			if got := time.Since(began); got != test.took {
				t.Errorf("waited %v, want %v", got, test.took)
			}
			if got := errorText(err); got != test.want {
				t.Errorf("got error %q, want %q", got, test.want)
			}
			g.Close()
		}

		g := newGroup(t, Config{Targets: targets("web.test:80"), Resolve: slow(time.Hour, answers())})
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("client left"))
		_, _, err := g.Dial(ctx, Key{})
		if !errors.Is(err, context.Canceled) || !strings.HasSuffix(err.Error(), ": client left") || Reason(err) != "canceled" {
			t.Errorf("after the client has left: %v", err)
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestRefresh: who asks for it gets the newest answer at once, whatever comes later that
// was asked for before.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		addr, takes, asked := "10.0.0.1", time.Duration(0), 0
		set := func(a string, d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			addr, takes = a, d
		}
		g, err := New(Config{
			Name: "web", Targets: []Target{{Address: "sleepy:80"}, {Address: "10.0.0.9:80"}}, ResolveTTL: time.Minute,
			Resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
				mu.Lock()
				a, d := addr, takes
				asked++
				mu.Unlock()
				time.Sleep(d)
				return answers(a)(ctx, host)
			},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		synctest.Wait()
		set("10.0.0.2", 5*time.Second)
		for own := false; !own; { // until the group asks by itself
			time.Sleep(time.Second)
			mu.Lock()
			own = asked == 2
			mu.Unlock()
		}
		set("10.0.0.3", 0)
		g.Refresh(t.Context())
		if got := addrsOf(g); got != "10.0.0.3:80 10.0.0.9:80" {
			t.Errorf("got %s", got)
		}
		time.Sleep(5 * time.Second)
		if got := addrsOf(g); got != "10.0.0.3:80 10.0.0.9:80" {
			t.Errorf("after an older answer: %s", got)
		}
	})
}
