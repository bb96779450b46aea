package redirect

import (
	"errors"
	"time"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/redirect/kern"
)

// How long Close waits for connections to leave the map.
const (
	// grace is how long after the end of the short cut no thread can still be about
	// to put something into it.
	grace = time.Second
	// drain is how long readers have to read what is there.
	drain = 2 * time.Second
)

// late is a connection that has left the short cut, but not the map.
type late struct {
	slot  uint32
	id    uint64
	since time.Time
}

// behind notes that a reader has not read all that is in the short cut, while more comes
// through TCP. As long as it is in the map, the kernel's answers about what there is to
// be read are wrong, and when the short cut is empty, a program that waits for news may
// wait for ever: the news was there before.
func (s *Session) behind(slot uint32, id uint64) {
	s.mu.Lock()
	s.late = append(s.late, late{slot, id, time.Now()})
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// catchUp takes the sockets of late connections out of the map that can be, and returns
// how many connections are left.
func (s *Session) catchUp() int {
	s.mu.Lock()
	list := s.late
	s.late = nil
	s.mu.Unlock()
	var left []late
	for _, l := range list {
		if !s.retire(l.slot, l.id, time.Since(l.since) > grace) {
			left = append(left, l)
		}
	}
	s.mu.Lock()
	s.late = append(s.late, left...)
	n := len(s.late)
	s.mu.Unlock()
	return n
}

// Close ends the short cut: connections go on through TCP, and the programs are
// detached. A connection whose reader has left something unread keeps it, and a program
// that does nothing any more, until it ends; Summary.Left counts these.
func (s *Session) Close() (Summary, error) {
	err := s.kernel.Off.Set(1)
	close(s.stop)
	s.keeper.Wait()
	left := s.dismiss()
	sum, sumErr := s.Summary()
	sum.Left = left
	return sum, errors.Join(err, sumErr, s.release())
}

// dismiss takes all connections out of the map and returns how many can't be.
func (s *Session) dismiss() int {
	s.mu.Lock()
	s.late = nil
	now := time.Now()
	for i := range s.conns {
		if id := s.conns[i].ID; id != 0 {
			s.late = append(s.late, late{uint32(i), id, now})
		}
	}
	s.mu.Unlock()
	for {
		left := s.catchUp()
		if left == 0 || time.Since(now) > drain {
			return left
		}
		time.Sleep(often)
	}
}

// retire takes the ends of a connection out of the map, and tells whether both are, or
// the connection is closed.
func (s *Session) retire(slot uint32, id uint64, quiet bool) bool {
	c, ok := s.conn(slot, id)
	if !ok {
		return true
	}
	args := [12]uint64{uint64(slot), id}
	if quiet {
		args[2] = 1
	}
	ends, err := s.inspect.Run(&ebpf.RunOptions{Context: args})
	if err != nil {
		return false
	}
	all := true
	for side := kern.Client; side <= kern.Server; side++ {
		if ends&(kern.CanLeave<<side) == 0 {
			all = false
			continue
		}
		err := s.kernel.Sockets.Delete(id<<1 | uint64(side))
		if err == nil && ends&(kern.Unread<<side) != 0 {
			s.rouse(&c, side)
		}
		all = all && (err == nil || errors.Is(err, load.ErrNoKey))
	}
	return all
}
