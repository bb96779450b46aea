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

// Close ends the short cut: connections go on through TCP, and the programs are
// detached. A connection whose reader has left something unread keeps it, and a program
// that does nothing any more, until it ends; Summary.Left counts these.
func (s *Session) Close() (Summary, error) {
	err := s.kernel.Off.Set(1)
	close(s.stop)
	s.keeper.Wait()
	s.off = true
	left := s.dismiss()
	sum, sumErr := s.Summary()
	sum.Left = left
	return sum, errors.Join(err, sumErr, s.release())
}

// dismiss takes all connections out of the map and returns how many can't be.
func (s *Session) dismiss() (left int) {
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		age := time.Since(start)
		left = s.retire(age > grace)
		if left == 0 || age > drain {
			return left
		}
	}
}

// retire takes sockets out of the map whose connections have left the short cut, or all
// of them in the end: those on which nobody sends anything can't do so by themselves.
// It returns how many connections should have left and have not.
func (s *Session) retire(quiet bool) (left int) {
	for i := range s.conns {
		c, slot := &s.conns[i], uint32(i)
		id := c.ID
		if id == 0 || !s.off && c.Leaving == 0 || s.left[slot] == id {
			continue
		}
		switch {
		case s.retireConn(slot, id, quiet):
			s.left[slot] = id
		case c.ID == id:
			left++
		}
	}
	return left
}

// retireConn takes the ends of a connection out of the map, and tells whether both are.
func (s *Session) retireConn(slot uint32, id uint64, quiet bool) bool {
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
		if ends&(1<<side) == 0 {
			all = false
			continue
		}
		err := s.kernel.Sockets.Delete(id<<1 | uint64(side))
		all = all && (err == nil || errors.Is(err, load.ErrNoKey))
	}
	return all
}
