package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

var (
	errEnded   = errors.New("the stream has ended early")
	errStalled = errors.New("the connection hardly moves")
)

// message is what goes there and back.
const message = 64

// measureRoundTrips: one connection, then 64.
func measureRoundTrips(t *trial) ([]float64, error) {
	var figures []float64
	for _, n := range []int{1, 64} {
		times, err := t.roundTrips(n)
		if err != nil {
			return nil, err
		}
		slices.Sort(times)
		figures = append(figures, times[len(times)/2].Seconds(), times[len(times)*99/100].Seconds())
	}
	return figures, nil
}

// roundTrips lets messages go there and back on n connections and returns how long
// each took. Both ends are one thread each that waits with epoll(7) if it has more
// than one connection.
func (t *trial) roundTrips(n int) (times []time.Duration, err error) {
	var team crew
	defer func() {
		if dismissErr := team.dismiss(); err == nil {
			err = dismissErr
		}
	}()
	l, err := listen(backend)
	if err != nil {
		return nil, err
	}
	team.open = append(team.open, l)
	var near, far []socket
	for range n {
		c, s, err := t.pair(&team, l)
		if err != nil {
			return nil, err
		}
		near, far = append(near, c), append(far, s)
		team.open = append(team.open, c, s)
	}
	team.hire(func() error { return team.each(far, team.echo) })
	c := &pinger{crew: &team, sent: make(map[socket]time.Time, n)}
	team.hire(func() error {
		for _, s := range near {
			if err := c.send(s); err != nil {
				return err
			}
		}
		return team.each(near, c.answered)
	})
	if err := t.sleep(warmUp + t.duration); err != nil {
		return nil, err
	}
	if err := team.dismiss(); err != nil { // before anyone reads times
		return nil, err
	}
	if len(c.times) < 100 {
		return nil, errStalled
	}
	return c.times, nil
}

// pair makes a connection through the forwarder and finds its other end. The first
// byte makes forwarders connect that wait for one.
func (t *trial) pair(team *crew, l socket) (near, far socket, err error) {
	if near, err = connect(t.target); err != nil {
		return -1, -1, err
	}
	if err := team.writeAll(near, []byte{0}); err != nil {
		return near, -1, err
	}
	for deadline := time.Now().Add(5 * time.Second); ; {
		if far, err = l.accept(); err == nil {
			break
		}
		if !again(err) || time.Now().After(deadline) {
			return near, -1, fmt.Errorf("wait for the connection to the backend: %w", err)
		}
	}
	_, err = team.readFull(far, make([]byte, 1))
	return near, far, err
}

// each calls f for each socket that can be read, until the crew is dismissed.
func (c *crew) each(sockets []socket, f func(socket) error) error {
	if len(sockets) == 1 {
		for !c.over.Load() {
			if err := f(sockets[0]); err != nil {
				return err
			}
		}
		return nil
	}
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make epoll: %w", err)
	}
	defer unix.Close(poll)
	for _, s := range sockets {
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s)}
		if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, int(s), &event); err != nil {
			return fmt.Errorf("add to epoll: %w", err)
		}
	}
	events := make([]unix.EpollEvent, len(sockets))
	for !c.over.Load() {
		n, err := epollWait(poll, events)
		if err != nil && !again(err) {
			return fmt.Errorf("wait with epoll: %w", err)
		}
		for _, e := range events[:max(n, 0)] {
			if err := f(socket(e.Fd)); err != nil {
				return err
			}
		}
	}
	return nil
}

// echo sends a message back.
func (c *crew) echo(s socket) error {
	var b [message]byte
	end, err := c.readFull(s, b[:])
	if end || err != nil {
		return errors.Join(err, endError(end))
	}
	return c.writeAll(s, b[:])
}

func endError(end bool) error {
	if end {
		return errEnded
	}
	return nil
}

// epollWait is unix.EpollWait behind the scheduler's back.
func epollWait(poll int, events []unix.EpollEvent) (int, error) {
	const limit = 100 // milliseconds, like tick
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(poll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), limit, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// pinger sends messages and takes the time.
type pinger struct {
	*crew
	sent  map[socket]time.Time
	times []time.Duration
}

func (p *pinger) send(s socket) error {
	var b [message]byte
	p.sent[s] = time.Now()
	return p.writeAll(s, b[:])
}

// answered reads an answer and sends the next message.
func (p *pinger) answered(s socket) error {
	var b [message]byte
	end, err := p.readFull(s, b[:])
	if end || err != nil {
		return errors.Join(err, endError(end))
	}
	p.times = append(p.times, time.Since(p.sent[s]))
	return p.send(s)
}
