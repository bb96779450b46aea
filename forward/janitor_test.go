package forward

import (
	"net/netip"
	"testing"
)

// TestRounds: connections count as a loop only if each came from an older one.
func TestRounds(t *testing.T) {
	port := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(n))
	}
	// A connection, whose number is id, comes from one port and goes out by another.
	type hop struct{ id, from, to int }
	for _, test := range []struct {
		name string
		hops []hop // the first one is looked at
		want int
	}{
		{"no relation", []hop{{1, 100, 200}, {2, 101, 201}}, 0},
		{"twice here", []hop{{2, 200, 201}, {1, 100, 200}}, 1},
		{"client's port is the one we dial from", []hop{{1, 100, 100}}, 0},
		{"two with each other's ports", []hop{{2, 100, 101}, {1, 101, 100}}, 1},
		{"the younger one's port", []hop{{1, 201, 200}, {2, 100, 201}}, 0},
		{"loop", []hop{{9, 8, 9}, {8, 7, 8}, {7, 6, 7}, {6, 5, 6}, {5, 4, 5}, {4, 3, 4}, {3, 2, 3}, {2, 1, 2}, {1, 100, 1}}, maxRounds},
	} {
		t.Run(test.name, func(t *testing.T) {
			j := &janitor{ours: make(map[netip.AddrPort]*conn)}
			var first *conn
			for _, h := range test.hops {
				c := &conn{id: uint64(h.id), peer: port(h.from)}
				j.ours[port(h.to)] = c
				if first == nil {
					first = c
				}
			}
			if got := j.rounds(first); got != test.want {
				t.Errorf("got %d rounds, want %d", got, test.want)
			}
		})
	}
}
