package backend

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
)

// set is the backends that are up, ready to be picked from. It never changes; a group
// makes a new one when anything about its backends does.
type set struct {
	members []*Backend
	// turns is the order of a weighted round robin.
	turns []*Backend
	// even is set if all weights are the same.
	even bool
}

func newSet(members []*Backend, p Policy) *set {
	s := &set{members: members, even: true}
	for _, b := range members {
		s.even = s.even && b.weight == members[0].weight
	}
	if p == RoundRobin {
		s.turns = turns(members)
	}
	return s
}

// turns gives each backend as many turns as its weight says, as evenly spread as
// possible: of w turns in a round that takes the time 1, the middle of the k-th is at
// (k + 1/2) / w.
func turns(members []*Backend) []*Backend {
	divisor := 0
	for _, b := range members {
		divisor = gcd(divisor, b.weight)
	}
	type turn struct {
		at float64
		b  *Backend
	}
	var round []turn
	for _, b := range members {
		w := b.weight / divisor
		for k := range w {
			round = append(round, turn{(float64(k) + 0.5) / float64(w), b})
		}
	}
	slices.SortStableFunc(round, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	list := make([]*Backend, len(round))
	for i, t := range round {
		list[i] = t.b
	}
	return list
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// pick returns the backend for the turn-th connection and a key, none of those tried
// already; nil if there is no other.
func (s *set) pick(p Policy, turn uint64, key Key, tried []Attempt) *Backend {
	switch p {
	case LeastConnections:
		return s.leastConnections(turn, tried)
	case HashSource, HashName:
		return s.hash(hashKey(p, key), tried)
	}
	return s.roundRobin(turn, tried)
}

func (s *set) roundRobin(turn uint64, tried []Attempt) *Backend {
	n := uint64(len(s.turns))
	for i := range n {
		if b := s.turns[(turn+i)%n]; !contains(tried, b) {
			return b
		}
	}
	return nil
}

// leastConnections starts to look at another backend each time, so that those with
// equally few take turns.
func (s *set) leastConnections(turn uint64, tried []Attempt) *Backend {
	var best *Backend
	var least int64
	n := uint64(len(s.members))
	for i := range n {
		b := s.members[(turn+i)%n]
		if contains(tried, b) {
			continue
		}
		// The new connection counts, so that of idle backends the heaviest is first.
		load := b.Active() + 1
		if best == nil || load*int64(best.weight) < least*int64(b.weight) {
			best, least = b, load
		}
	}
	return best
}

// hash is rendezvous hashing (Thaler and Ravishankar, 1998): each backend draws a number
// from key and its own address, and the highest wins. A backend that goes takes only its
// own keys with it, and one that comes takes the same share of all. Weights make it
// weighted rendezvous hashing (Schindelhauer and Schomaker, 2005).
func (s *set) hash(key uint64, tried []Attempt) *Backend {
	var best *Backend
	if s.even {
		var highest uint64
		for _, b := range s.members {
			if draw := mix(key ^ b.seed); (best == nil || draw > highest) && !contains(tried, b) {
				best, highest = b, draw
			}
		}
		return best
	}
	highest := math.Inf(-1)
	for _, b := range s.members {
		// A number in (0, 1), of which ln is finite and not 0.
		draw := (float64(mix(key^b.seed)>>11) + 0.5) / (1 << 53)
		if score := -float64(b.weight) / math.Log(draw); score > highest && !contains(tried, b) {
			best, highest = b, score
		}
	}
	return best
}

func contains(tried []Attempt, b *Backend) bool {
	return slices.ContainsFunc(tried, func(a Attempt) bool { return a.Backend == b })
}

// hashKey makes a number of a key: the same in every process, so that several forwarders
// agree.
func hashKey(p Policy, key Key) uint64 {
	if p == HashName && key.Name != "" {
		return hashString(key.Name)
	}
	return hashAddr(key.Source)
}

// hashAddr gives an IPv4 address and its IPv6 form the same number.
func hashAddr(a netip.Addr) uint64 {
	b := a.As16()
	var high, low uint64
	for i := range 8 {
		high = high<<8 | uint64(b[i])
		low = low<<8 | uint64(b[8+i])
	}
	return mix(mix(high) ^ low)
}

// hashString is FNV-1a, mixed.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finalizer of splitmix64 (Steele, Lea and Flood, 2014), a bijection.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
