package forward

import (
	"sync"
	"sync/atomic"
)

// registry knows the connections there are.
type registry struct {
	count  atomic.Int64
	ids    atomic.Uint64
	shards [16]shard

	mu    sync.Mutex
	empty *sync.Cond // that count may have become 0
}

// shard is a part of them, a list, so that connections that come and go at the same
// time don't wait for each other.
type shard struct {
	mu   sync.Mutex
	head *conn
	_    [40]byte // one cache line each
}

func (r *registry) init() { r.empty = sync.NewCond(&r.mu) }

// add enters a connection and gives it its number.
func (r *registry) add(c *conn) {
	c.id = r.ids.Add(1)
	s := r.shard(c)
	s.mu.Lock()
	if c.next = s.head; c.next != nil {
		c.next.prev = c
	}
	s.head = c
	s.mu.Unlock()
}

// remove takes a connection out. Its place is kept until release.
func (r *registry) remove(c *conn) {
	s := r.shard(c)
	s.mu.Lock()
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		s.head = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	s.mu.Unlock()
}

// reserve takes a place for a connection if there are fewer than limit.
func (r *registry) reserve(limit int) bool {
	if r.count.Add(1) <= int64(limit) {
		return true
	}
	r.release()
	return false
}

// release gives a place back.
func (r *registry) release() {
	if r.count.Add(-1) == 0 {
		r.mu.Lock()
		r.empty.Broadcast()
		r.mu.Unlock()
	}
}

func (r *registry) shard(c *conn) *shard { return &r.shards[c.id%uint64(len(r.shards))] }

// each calls f for every connection. f must be quick and must not add or remove.
func (r *registry) each(f func(*conn)) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for c := s.head; c != nil; c = c.next {
			f(c)
		}
		s.mu.Unlock()
	}
}

// wait returns when there is no connection, or when stop says so; poke makes it ask.
func (r *registry) wait(stop func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.count.Load() > 0 && !stop() {
		r.empty.Wait()
	}
}

func (r *registry) poke() {
	r.mu.Lock()
	r.empty.Broadcast()
	r.mu.Unlock()
}
