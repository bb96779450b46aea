package main

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
)

// How many clients connect at the same time, and how many threads serve them.
const (
	clients = 32
	servers = 32
)

// measureConnections: each client connects, sends a message, gets it back, reads the
// end that the server makes, and begins again. The server closes first, so that the
// ends that have to linger (TIME-WAIT) are not those whose ports are needed again.
func measureConnections(t *trial) (figures []float64, err error) {
	var team crew
	defer func() {
		if dismissErr := team.dismiss(); err == nil {
			err = dismissErr
		}
	}()
	if err := team.serve(servers, team.echo); err != nil {
		return nil, err
	}
	var done atomic.Int64
	var all slowest
	for i := range clients {
		team.hire(func() error {
			for n := uint64(i) << 32; !team.over.Load(); n++ {
				start := time.Now()
				err := team.visit(t.target, n)
				all.note(time.Since(start))
				if err != nil {
					return fmt.Errorf("after %d connections: %w", done.Load(), err)
				}
				done.Add(1)
			}
			return nil
		})
	}
	if err := t.sleep(warmUp); err != nil {
		return nil, err
	}
	start := done.Load()
	w, err := t.window()
	if err != nil {
		return nil, err
	}
	n := float64(done.Load() - start)
	if n == 0 {
		return nil, errStalled
	}
	if err := team.dismiss(); err != nil { // those that are under way count for the slowest
		return nil, err
	}
	return []float64{n / w.at.Seconds(), w.process.Seconds() / n, all.load().Seconds()}, nil
}

// slowest is the longest of some durations, which goroutines note.
type slowest struct{ atomic.Int64 }

func (s *slowest) note(d time.Duration) {
	for {
		longest := s.Load()
		if int64(d) <= longest || s.CompareAndSwap(longest, int64(d)) {
			return
		}
	}
}

func (s *slowest) load() time.Duration { return time.Duration(s.Load()) }

// visit is one connection of a client. The message is the connection's own, and has to
// come back as it is, with the end behind it.
func (c *crew) visit(target netip.AddrPort, number uint64) error {
	s, err := connect(target)
	if err != nil {
		return err
	}
	defer s.close()
	var sent, got [message]byte
	for i := 0; i < message; i += 8 {
		binary.BigEndian.PutUint64(sent[i:], number+uint64(i))
	}
	if err := c.writeAll(s, sent[:]); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if end, err := c.readFull(s, got[:]); end || err != nil {
		return fmt.Errorf("receive: %w", cmp.Or(err, endError(end)))
	}
	if got != sent {
		return fmt.Errorf("sent %x, got %x", sent, got)
	}
	end, err := c.readFull(s, got[:1])
	if err == nil && !end {
		err = errors.New("more has come back than was sent")
	}
	return err
}

// idleConnections is how many are held open.
const idleConnections = 10_000

// measureIdle: connections exchange a byte and stay open; the forwarder's memory has
// grown by then.
func measureIdle(t *trial) ([]float64, error) {
	if t.process == nil {
		return []float64{0}, nil
	}
	l, err := listen(backend)
	if err != nil {
		return nil, err
	}
	defer l.close()
	var team crew
	var open []socket
	defer func() {
		for _, s := range open {
			s.close()
		}
	}()
	if err := t.sleep(warmUp); err != nil {
		return nil, err
	}
	before, err := t.process.memory()
	if err != nil {
		return nil, err
	}
	for range t.idle {
		near, far, err := t.pair(&team, l)
		if err != nil {
			return nil, fmt.Errorf("after %d connections: %w", len(open)/2, err)
		}
		open = append(open, near, far)
	}
	if err := t.sleep(time.Second); err != nil {
		return nil, err
	}
	after, err := t.process.memory()
	if err != nil {
		return nil, err
	}
	return []float64{(float64(after) - float64(before)) / float64(t.idle)}, nil
}
