package redirect

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/redirect/kern"
)

// As long as a socket is in the map, the kernel's answers about what there is to be read
// are wrong if something is in TCP: a program that asks may be told that there is nothing,
// and one that waits for news after it has read less than it wanted may wait for ever,
// because the news came while it read the short cut. So sockets leave the map as soon as
// they can, and whoever waits then is woken.

const (
	// grace is how long after the end of the short cut no thread can still be about
	// to put something into it.
	grace = time.Second
	// drain is how long readers have to read what is there when a session is closed.
	drain = 2 * time.Second
	// idle is how long a reader may leave unread what came through TCP before it is
	// woken.
	idle = 10 * time.Millisecond
	// stuck is how long nothing may be read of a connection that has a socket in the map
	// and something in TCP, before it is made to leave; and how long something may lie
	// on the short cut if the reader splices.
	stuck = 100 * time.Millisecond
	// rarely is the longest interval between two looks at a connection.
	rarely = 50 * time.Millisecond
)

// late is a connection that has to leave the map.
type late struct {
	slot        uint32
	id          uint64
	since, next time.Time // when it was seen first, as it is now, and when to look at it again
	leaving     bool      // it has to; if not, it is watched
	again       bool      // it was reported while it was looked at
	ends        [2]lateEnd
}

// lateEnd is an end of such a connection, or of one that is watched.
type lateEnd struct {
	out    bool      // it has left the map
	copied uint32    // how far it had read from TCP then,
	seen   time.Time // or at the first look after it
}

// still tells for how long an end has not read anything from TCP.
func (e *lateEnd) still(copied uint32, now time.Time) time.Duration {
	if e.seen.IsZero() || e.copied != copied {
		e.copied, e.seen = copied, now
	}
	return now.Sub(e.seen)
}

// watch has a connection looked after until it has left the map.
func (s *Session) watch(slot uint32, id uint64) {
	s.mu.Lock()
	if l := s.late[id]; l != nil {
		l.again = true
	} else {
		s.late[id] = &late{slot: slot, id: id, since: time.Now()}
	}
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// catchUp looks at the late connections whose time has come, and returns how many are
// left.
func (s *Session) catchUp() int {
	now := time.Now()
	var due []*late
	s.mu.Lock()
	for _, l := range s.late {
		if !now.Before(l.next) {
			l.again = false
			due = append(due, l)
		}
	}
	s.mu.Unlock()
	for _, l := range due {
		now := time.Now()
		done := s.retire(l, now)
		s.mu.Lock()
		if done && !l.again {
			delete(s.late, l.id)
		}
		l.next = now.Add(min(now.Sub(l.since)/4, rarely))
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.late)
}

// sweep finds connections that have to leave the map and that nobody looks after: a
// report was lost, another program has taken the callbacks away, or the other end was
// never enrolled.
func (s *Session) sweep() {
	old := monotonic() - uint64(seldom)
	for i := range s.conns {
		c := &s.conns[i]
		id := c.ID
		if id == 0 || c.Born > old {
			continue
		}
		if c.Direction[kern.Client].Way == kern.Fresh && c.Sock[kern.Server] == 0 {
			atomic.StoreUint32(&c.Leaving, 1)
		}
		if c.Leaving != 0 && (present(c, kern.Client) || present(c, kern.Server)) {
			s.watch(uint32(i), id)
		}
	}
}

// present tells whether an end is in the map, as far as is known.
func present(c *kern.Conn, side kern.Side) bool { return c.Sock[side] != 0 && c.Out[side] == 0 }

// Close ends the short cut: connections go on through TCP, and the programs are
// detached. A connection whose reader has left something unread keeps it, and a program
// that does nothing any more, until it ends; Summary.Left counts these.
func (s *Session) Close() (Summary, error) {
	err := s.kernel.Off.Set(1)
	close(s.stop)
	s.keepers.Wait()
	left := s.dismiss()
	sum, sumErr := s.Summary()
	sum.Left = left
	return sum, errors.Join(err, sumErr, s.release())
}

// dismiss takes all connections out of the map and returns how many can't be.
func (s *Session) dismiss() int {
	began := time.Now()
	s.mu.Lock()
	clear(s.late)
	for i := range s.conns {
		if id := s.conns[i].ID; id != 0 {
			atomic.StoreUint32(&s.conns[i].Leaving, 1)
			s.late[id] = &late{slot: uint32(i), id: id, since: began}
		}
	}
	s.mu.Unlock()
	for {
		left := s.catchUp()
		if left == 0 || time.Since(began) > drain {
			return left
		}
		time.Sleep(often)
	}
}

// retire takes the ends of a connection out of the map, and wakes who waits for what came
// through TCP. It tells whether there is nothing more to be done.
func (s *Session) retire(l *late, now time.Time) bool {
	if _, ok := s.conn(l.slot, l.id); !ok {
		return true
	}
	shared := &s.conns[l.slot]
	// What is seen of a connection that is not leaving yet says nothing about it when it
	// is: something may have been put on the short cut in between.
	leaving := atomic.LoadUint32(&shared.Leaving) != 0
	switch {
	case !leaving:
		atomic.StoreUint32(&shared.Told, 0) // what comes from now on is reported again
	case !l.leaving:
		l.leaving, l.since, l.ends = true, now, [2]lateEnd{}
	}
	bits, err := s.look(l.slot, l.id, leaving && now.Sub(l.since) > grace)
	if err != nil {
		return false
	}
	c, ok := s.conn(l.slot, l.id)
	if !ok {
		return true
	}
	if !leaving {
		return c.Leaving == 0 && s.spare(l, &c, bits, now)
	}
	done := true
	for side := kern.Client; side <= kern.Server; side++ {
		bits := bits >> side
		if bits&kern.Waiting != 0 && now.Sub(l.since) > stuck && c.Direction[side^1].Veto == kern.Splices {
			s.reset(l.slot, l.id)
			return true
		}
		done = s.retireEnd(l, &c, side, bits, now) && done
	}
	return done
}

// look has the kernel half look at a connection; quiet says that no thread can still be
// about to put something on the short cut.
func (s *Session) look(slot uint32, id uint64, quiet bool) (bits uint32, err error) {
	args := [12]uint64{uint64(slot), id}
	if quiet {
		args[2] = 1
	}
	bits, err = s.inspect.Run(&ebpf.RunOptions{Context: args})
	if err != nil {
		err = fmt.Errorf("inspect connection: %w", err)
	}
	return bits, err
}

// retireEnd is retire for one end.
func (s *Session) retireEnd(l *late, c *kern.Conn, side kern.Side, bits uint32, now time.Time) bool {
	e := &l.ends[side]
	if !e.out {
		if bits&kern.CanLeave == 0 {
			return false
		}
		if err := s.kernel.Sockets.Delete(l.id<<1 | uint64(side)); err != nil && !errors.Is(err, load.ErrNoKey) {
			return false
		}
		e.out = true
		s.conns[l.slot].Out[side] = 1
		return false // what has come just before is seen next time
	}
	first := e.seen.IsZero()
	before := e.copied
	still := e.still(c.Copied[side], now)
	switch {
	case bits&kern.Unread == 0, !first && e.copied != before:
		return true
	case still < idle:
		return false
	}
	s.rouse(c, side)
	return true
}

// spare looks at a connection that has something in TCP while its sockets are in the map,
// and need not leave. It tells whether all of that is read; if nothing is, it has to.
func (s *Session) spare(l *late, c *kern.Conn, bits uint32, now time.Time) bool {
	read := true
	for side := kern.Client; side <= kern.Server; side++ {
		if bits>>side&kern.Unread == 0 {
			continue
		}
		read = false
		if l.ends[side].still(c.Copied[side], now) > stuck {
			atomic.StoreUint32(&s.conns[l.slot].Leaving, 1)
			break
		}
	}
	return read
}
