package forward

import (
	"net/netip"
	"sync"
)

// sources counts the connections of each client address, and forgets those that have
// none, so that it is never larger than the number of connections.
type sources struct {
	mu sync.Mutex
	n  map[netip.Addr]int
}

// enter counts a connection if its source has fewer than limit.
func (s *sources) enter(source netip.Addr, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == nil {
		s.n = make(map[netip.Addr]int)
	}
	if s.n[source] >= limit {
		return false
	}
	s.n[source]++
	return true
}

func (s *sources) leave(source netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n[source]--; s.n[source] <= 0 {
		delete(s.n, source)
	}
}

// count counts the connection for the client that it is from, and tells whether that may
// have one more.
func (c *conn) count(client netip.Addr) bool {
	limit := c.service.limits.PerSource
	if limit == 0 {
		return true
	}
	source := sourceOf(client)
	if !c.listener.forwarder.sources.enter(source, limit) {
		return false
	}
	c.counted = source
	return true
}

// sourceOf is what counts as one source: an IPv4 address, or an IPv6 network of 64
// bits, which is what one subscriber has.
func sourceOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
