//go:build linux

package enginetest

import (
	"net/netip"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/link"
)

// place is where the three parties are: their network namespaces, nil for that of
// the test, and the addresses that the forwarder and the backend listen on.
type place struct {
	client, forwarder, backend *testkit.NS
	front, back                netip.Addr
	lossy                      bool // the links are bad
}

// placeKind makes a place.
type placeKind struct {
	name    string
	when    effort
	make    func(testing.TB) *place
	settled bool // pairs are to have settled; see Options
}

// allPlaces are those there are. With pairs that settle there are twice as many runs,
// so those that add little are left for long tests.
var allPlaces = []struct {
	name          string
	namespaces    bool
	make          func(testing.TB) *place
	when          effort
	whenUnsettled effort // if the engine's pairs settle
}{
	{"loopback IPv4", false, loopback("127.0.0.1"), always, unlessShort},
	{"loopback IPv6", false, loopback("::1"), unlessShort, onlyLong},
	{"namespaces IPv4", true, func(t testing.TB) *place { return between(t, v4, testkit.NewWire) }, unlessShort, onlyLong},
	{"namespaces IPv6", true, func(t testing.TB) *place { return between(t, v6, testkit.NewWire) }, always, unlessShort},
	{"lossy IPv4", true, func(t testing.TB) *place { return badlyBetween(t, v4) }, onlyLong, onlyLong},
	{"lossy IPv6", true, func(t testing.TB) *place { return badlyBetween(t, v6) }, onlyLong, onlyLong},
}

// places lists where to test.
func places(o Options) (kinds []placeKind) {
	for _, p := range allPlaces {
		switch {
		case p.namespaces && !o.Namespaces || !p.namespaces && !o.Loopback:
		case o.Settled == nil:
			kinds = append(kinds, placeKind{p.name, p.when, p.make, false})
		default:
			kinds = append(kinds,
				placeKind{p.name, p.whenUnsettled, p.make, false},
				placeKind{p.name + ", settled", p.when, p.make, true})
		}
	}
	return kinds
}

func loopback(addr string) func(testing.TB) *place {
	return func(testing.TB) *place {
		a := netip.MustParseAddr(addr)
		return &place{front: a, back: a}
	}
}

func v4(e testkit.End) netip.Addr { return e.V4 }
func v6(e testkit.End) netip.Addr { return e.V6 }

// between makes three namespaces in a row, with a wire from each to the next.
func between(t testing.TB, addr func(testkit.End) netip.Addr, wire func(t testing.TB, a, b *testkit.NS, subnet byte) *testkit.Pair) *place {
	t.Helper()
	p := &place{client: testkit.NewNS(t), forwarder: testkit.NewNS(t), backend: testkit.NewNS(t)}
	front := wire(t, p.client, p.forwarder, 1)
	back := wire(t, p.forwarder, p.backend, 2)
	p.front, p.back = addr(front.B), addr(back.B)
	return p
}

// badlyBetween is between, with links that lose, repeat and reorder.
func badlyBetween(t testing.TB, addr func(testkit.End) netip.Addr) *place {
	t.Helper()
	p := between(t, addr, func(t testing.TB, a, b *testkit.NS, subnet byte) *testkit.Pair {
		im := link.Bad
		im.Seed = uint64(subnet)
		l := link.New(t, a, b, subnet, im)
		t.Cleanup(func() {
			there, back := l.Stats()
			t.Logf("link %d: there %v; back %v", subnet, there, back)
		})
		return l.Pair
	})
	p.lossy = true
	return p
}

// in does f in a namespace of the place.
func (*place) in(t testing.TB, ns *testkit.NS, f func()) {
	t.Helper()
	if ns == nil {
		f()
		return
	}
	ns.Do(t, f)
}
