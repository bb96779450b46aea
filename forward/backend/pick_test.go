package backend

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// members makes backends a, b, c... of the given weights.
func members(weights ...int) []*Backend {
	var list []*Backend
	for i, w := range weights {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
		list = append(list, &Backend{target: string(rune('a' + i)), addr: addr, weight: w, seed: hashString(addr.String()), count: new(counters)})
	}
	return list
}

func TestRoundRobin(t *testing.T) {
	for _, test := range []struct {
		weights []int
		want    string
	}{
		{[]int{1}, "aaa"},
		{[]int{1, 1, 1}, "abcabc"},
		{[]int{7, 7}, "abab"},
		{[]int{2, 1}, "abaaba"},
		{[]int{3, 1}, "aabaaaba"},
		{[]int{5, 1, 1}, "aaabcaa"},
		{[]int{4, 2}, "abaaba"},
	} {
		s := newSet(members(test.weights...), RoundRobin)
		var got strings.Builder
		for i := range len(test.want) {
			got.WriteString(s.pick(RoundRobin, uint64(i), Key{}, nil).target)
		}
		if got.String() != test.want {
			t.Errorf("weights %v: got %s, want %s", test.weights, &got, test.want)
		}
	}
}

// TestTried: whatever the policy, all others are picked before there is none.
func TestTried(t *testing.T) {
	for p := range policies {
		for _, weights := range [][]int{{1, 1, 1, 1}, {3, 1, 2, 9}} {
			s := newSet(members(weights...), Policy(p))
			var tried []Attempt
			for i := range weights {
				b := s.pick(Policy(p), uint64(i*31), Key{Name: "x"}, tried)
				if b == nil || contains(tried, b) {
					t.Fatalf("%v: pick %d after %v is %v", Policy(p), i, tried, b)
				}
				tried = append(tried, Attempt{Backend: b})
			}
			if b := s.pick(Policy(p), 0, Key{}, tried); b != nil {
				t.Errorf("%v: picked %v after all were tried", Policy(p), b)
			}
		}
	}
}

func TestLeastConnections(t *testing.T) {
	for _, test := range []struct {
		weights []int
		active  []int64
		want    []int // connections of each after ten more
	}{
		{[]int{1, 1}, []int64{0, 0}, []int{5, 5}},
		{[]int{1, 1}, []int64{100, 0}, []int{100, 10}},
		{[]int{1, 1, 1}, []int64{3, 0, 2}, []int{5, 5, 5}},
		{[]int{4, 1}, []int64{0, 0}, []int{8, 2}},
		{[]int{1, 9}, []int64{0, 0}, []int{1, 9}},
	} {
		all := members(test.weights...)
		for i, n := range test.active {
			all[i].count.active.Store(n)
		}
		s := newSet(all, LeastConnections)
		for i := range 10 {
			s.pick(LeastConnections, uint64(i), Key{}, nil).count.active.Add(1)
		}
		var got []int
		for _, b := range all {
			got = append(got, int(b.Active()))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("weights %v, connections %v: got %v, want %v", test.weights, test.active, got, test.want)
		}
	}
}

// TestHashShares: the keys spread by weight.
func TestHashShares(t *testing.T) {
	const keys = 40000
	for _, weights := range [][]int{{1, 1, 1, 1, 1}, {1, 2, 3, 4}, {1, 256}} {
		all := members(weights...)
		s := newSet(all, HashName)
		got := make(map[*Backend]int)
		for i := range keys {
			got[s.pick(HashName, 0, Key{Name: fmt.Sprint("key", i)}, nil)]++
		}
		total := 0
		for _, w := range weights {
			total += w
		}
		for i, b := range all {
			want := float64(keys) * float64(weights[i]) / float64(total)
			// Five standard deviations: the keys are always the same, so that
			// this fails always or never.
			if dev := math.Sqrt(want); math.Abs(float64(got[b])-want) > 5*dev {
				t.Errorf("weights %v: backend %d has %d keys, want about %.0f", weights, i, got[b], want)
			}
		}
	}
}

// TestHashDisruption: when a backend goes, only its keys move, and the next choice of a
// key is where it moves to; when one comes, keys move only to it.
func TestHashDisruption(t *testing.T) {
	for _, weights := range [][]int{{1, 1, 1, 1, 1}, {5, 1, 3, 1, 2}} {
		all := members(weights...)
		with := newSet(all, HashSource)
		for gone := range all {
			without := newSet(slices.Delete(slices.Clone(all), gone, gone+1), HashSource)
			for i := range 2000 {
				key := Key{Source: netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})}
				before, after := with.pick(HashSource, 0, key, nil), without.pick(HashSource, 0, key, nil)
				if before != all[gone] && after != before {
					t.Fatalf("weights %v: without %v, %v moves from %v to %v", weights, all[gone], key.Source, before, after)
				}
				if next := with.pick(HashSource, 0, key, []Attempt{{Backend: all[gone]}}); next != after {
					t.Fatalf("weights %v: %v is retried at %v but goes to %v", weights, key.Source, next, after)
				}
			}
		}
	}
}

func TestHashKey(t *testing.T) {
	v4, mapped := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.1")
	for _, test := range []struct {
		p    Policy
		a, b Key
		same bool
	}{
		{HashSource, Key{Source: v4}, Key{Source: mapped}, true},
		{HashSource, Key{Source: v4}, Key{Source: v4.Next()}, false},
		{HashSource, Key{Source: v4, Name: "a"}, Key{Source: v4, Name: "b"}, true},
		{HashName, Key{Source: v4, Name: "a"}, Key{Source: v4.Next(), Name: "a"}, true},
		{HashName, Key{Source: v4, Name: "a"}, Key{Source: v4, Name: "b"}, false},
		{HashName, Key{Source: v4}, Key{Source: v4.Next()}, false},
	} {
		if got := hashKey(test.p, test.a) == hashKey(test.p, test.b); got != test.same {
			t.Errorf("%v: %v and %v: same is %t", test.p, test.a, test.b, got)
		}
	}
	// Forwarders of other versions have to agree, too.
	if got := hashKey(HashName, Key{Name: "api.example.org"}); got != 0xef8e4c7035b5e9cf {
		t.Errorf("the hash of a name has become %#x", got)
	}
}

func TestPolicies(t *testing.T) {
	for i, name := range Policies() {
		p, err := ParsePolicy(name)
		if err != nil || p != Policy(i) || p.String() != name {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	if _, err := ParsePolicy("random"); err == nil || !strings.Contains(err.Error(), "round-robin") {
		t.Errorf("unknown policy: %v", err)
	}
}

func BenchmarkPick(b *testing.B) {
	for _, n := range []int{2, 10, 100} {
		weights := make([]int, n)
		for i := range weights {
			weights[i] = 1 + i%3
		}
		key := Key{Source: netip.MustParseAddr("192.0.2.1"), Name: "api.example.org"}
		for p := range policies {
			s := newSet(members(weights...), Policy(p))
			b.Run(fmt.Sprintf("%v/%d", Policy(p), n), func(b *testing.B) {
				for i := range b.N {
					if s.pick(Policy(p), uint64(i), key, nil) == nil {
						b.Fatal("none")
					}
				}
			})
		}
	}
}
