package uring

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// The sizes of a ring. Requests are handed over when their places are full, and the
// kernel keeps completions for which there is no place.
const (
	requests    = 256
	completions = 4096
)

// shard is a ring with its thread, which does everything but what others tell it to.
type shard struct {
	ring         *ring
	small, large buffers
	pairs        []*pair // by slot; nil if it is free
	free         []int

	max   int32
	count atomic.Int32  // pairs admitted
	bell  int           // an eventfd that is rung when there are orders
	ended chan struct{} // closed when the thread ends

	mu     sync.Mutex
	orders []func() // for the thread
	closed bool
}

// newShard starts a ring's thread.
func newShard(maxPairs int) (*shard, error) {
	s := &shard{
		small: buffers{group: 0, size: smallBuffer}, large: buffers{group: 1, size: largeBuffer},
		max: int32(maxPairs), bell: -1, ended: make(chan struct{}),
	}
	started := make(chan error)
	go func() {
		defer close(s.ended)
		runtime.LockOSThread() // a ring obeys the thread that has made it
		defer runtime.UnlockOSThread()
		defer s.release()
		err := s.open()
		started <- err
		if err == nil {
			s.run()
		}
	}()
	return s, <-started
}

func (s *shard) open() (err error) {
	if s.ring, err = newRing(requests, completions); err != nil {
		return err
	}
	for _, b := range []*buffers{&s.small, &s.large} {
		if err := b.register(s.ring.fd); err != nil {
			return err
		}
	}
	if s.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("make eventfd: %w", err)
	}
	return nil
}

// release gives back what open has taken.
func (s *shard) release() {
	if s.bell >= 0 {
		unix.Close(s.bell)
	}
	if s.ring != nil {
		s.ring.close()
	}
	s.small.close()
	s.large.close()
}

// close ends the thread.
func (s *shard) close() {
	s.mu.Lock()
	s.closed = true
	s.ringBell()
	s.mu.Unlock()
	<-s.ended
}

// tell gives the thread an order. After close nobody is there to do it.
func (s *shard) tell(order func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.orders = append(s.orders, order)
	if len(s.orders) == 1 {
		s.ringBell()
	}
}

func (s *shard) ringBell() {
	one := [8]byte{1}
	if _, err := unix.Write(s.bell, one[:]); err != nil {
		panic("BUG: write to eventfd: " + err.Error())
	}
}

// obey does what there is to do, and tells whether there may be more.
func (s *shard) obey() bool {
	var count [8]byte
	if _, err := unix.Read(s.bell, count[:]); err != nil {
		panic("BUG: read from eventfd: " + err.Error())
	}
	s.mu.Lock()
	orders, closed := s.orders, s.closed
	s.orders = nil
	s.mu.Unlock()
	for _, order := range orders {
		order()
	}
	return !closed
}

// admit tells whether there is room for a pair, and takes it.
func (s *shard) admit() bool {
	if s.count.Add(1) <= s.max {
		return true
	}
	s.leave()
	return false
}

func (s *shard) leave() { s.count.Add(-1) }

// run serves the pairs until the shard is closed. Then there are none.
func (s *shard) run() {
	s.listen()
	for {
		s.ring.enter(1)
		for {
			c, ok := s.ring.next()
			if !ok {
				break
			}
			if c.userData != bellRings {
				s.dispatch(&c)
				continue
			}
			if !s.obey() {
				return
			}
			s.listen()
		}
	}
}

// listen asks for a completion when the bell rings.
func (s *shard) listen() {
	r := s.ring.request()
	r.op, r.fd, r.opFlags, r.userData = opPollAdd, int32(s.bell), pollIn, bellRings
}

// What completions are about: the bell, or a request of a lane.
const bellRings = 0

type kind uint64

const (
	receives kind = iota
	sends
	cancels
)

// label is what a request of a lane's is known by.
func (l *lane) label(k kind) uint64 {
	return uint64(l.pair.slot+1)<<8 | uint64(l.d)<<4 | uint64(k)
}

// dispatch gives a completion to whom it is for.
func (s *shard) dispatch(c *cqe) {
	p := s.pairs[c.userData>>8-1]
	l := &p.lanes[c.userData>>4&1]
	if c.flags&cqeMore == 0 {
		p.pending--
	}
	switch kind(c.userData & 0xf) {
	case receives:
		l.received(c)
	case sends:
		l.sent(c.res)
	}
	p.proceed()
}

// add begins to serve a pair.
func (s *shard) add(p *pair) {
	p.shard = s
	if last := len(s.free) - 1; last >= 0 {
		p.slot = s.free[last]
		s.free = s.free[:last]
		s.pairs[p.slot] = p
	} else {
		p.slot = len(s.pairs)
		s.pairs = append(s.pairs, p)
	}
	p.proceed()
}

// remove ends the service. Nothing of the pair's is in the ring any more.
func (s *shard) remove(p *pair) {
	s.pairs[p.slot] = nil
	s.free = append(s.free, p.slot)
}
