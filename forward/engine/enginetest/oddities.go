//go:build linux

package enginetest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// oddities checks what callers and odd programs rely on.
func oddities() []check {
	return []check{
		{"odd/no delay for single bytes", always, pingPong},
		{"odd/meter runs along", always, meterRuns},
		{"odd/end is marked while the other direction goes on", always, endIsMarked},
		{"odd/urgent data by client", always, func(r *rig) error { return r.urgent(engine.Up) }},
		{"odd/urgent data by backend", always, func(r *rig) error { return r.urgent(engine.Down) }},
	}
}

// pingPong: small messages must not wait for acknowledgements (Nagle's algorithm
// and delayed ACKs make that 40 ms).
func pingPong(r *rig) error {
	s, err := r.start()
	if err != nil {
		return err
	}
	defer s.close()
	const rounds = 41
	times := make([]time.Duration, rounds)
	for i := range times {
		start := time.Now()
		// Two writes for a request: that is what Nagle's algorithm holds back.
		if err := s.send(s.client, 1); err != nil {
			return err
		}
		if err := s.exchange(s.client, s.server, 2); err != nil {
			return err
		}
		if err := s.exchange(s.server, s.client, 1); err != nil {
			return err
		}
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return within("the median round trip", times[rounds/2], r.times.roundTrip)
}

func (*session) send(c *net.TCPConn, n int) error {
	_, err := c.Write(make([]byte, n))
	return err
}

// exchange writes a byte at one end and reads n at the other.
func (s *session) exchange(from, to *net.TCPConn, n int) error {
	if err := s.send(from, 1); err != nil {
		return err
	}
	if err := to.SetReadDeadline(time.Now().Add(s.times.soon)); err != nil {
		return err
	}
	_, err := io.ReadFull(to, make([]byte, n))
	return err
}

// meterRuns: idle time-outs look at what is moved while a pair is forwarded.
func meterRuns(r *rig) error {
	s, err := r.start()
	if err != nil {
		return err
	}
	defer s.close()
	for i := range uint64(50) {
		if err := s.greet(); err != nil {
			return err
		}
		for _, d := range []engine.Direction{engine.Up, engine.Down} {
			want := uint64(s.settling) + greeting*(i+1)
			if err := eventually(fmt.Sprintf("%d bytes moved %v", want, d), r.times.soon, func() bool { return s.pair.Moved(d) == want }); err != nil {
				return fmt.Errorf("%w: got %d", err, s.pair.Moved(d))
			}
		}
	}
	return nil
}

// endIsMarked: half-close time-outs look at which direction has ended.
func endIsMarked(r *rig) error {
	for _, d := range []engine.Direction{engine.Up, engine.Down} {
		s, err := r.start()
		if err != nil {
			return err
		}
		defer s.close()
		writer, reader := s.outer(d)
		if err := writer.CloseWrite(); err != nil {
			return err
		}
		if err := eventually("the end to be marked", r.times.soon, func() bool { return s.pair.Ended(d) }); err != nil {
			return err
		}
		if err := s.pingBack(d); err != nil {
			return err
		}
		if s.pair.Ended(d.Other()) {
			return fmt.Errorf("direction %v is marked as ended, but only the other one is", d.Other())
		}
		if err := reader.CloseWrite(); err != nil {
			return err
		}
		if err := s.wait(r.times.soon); err != nil {
			return err
		}
	}
	return nil
}

// urgent sends a byte of urgent data in the middle of a stream. It may be dropped or
// come in its place; the rest has to come in any case.
func (r *rig) urgent(d engine.Direction) error {
	s, err := r.start()
	if err != nil {
		return err
	}
	defer s.close()
	writer, reader := s.outer(d)
	parts := []func() error{
		func() error { _, err := writer.Write([]byte("before-")); return err },
		func() error { return sendUrgent(writer, '!') },
		func() error { _, err := writer.Write([]byte("-after")); return err },
		writer.CloseWrite,
	}
	for _, send := range parts {
		if err := send(); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond) // a packet of its own
	}
	if err := reader.SetReadDeadline(time.Now().Add(r.times.soon)); err != nil {
		return err
	}
	got, err := io.ReadAll(reader)
	if text := string(got); err != nil || text != "before--after" && text != "before-!-after" {
		return fmt.Errorf("got %q, %w", got, errors.Join(err, errors.New("want all but, perhaps, the urgent byte")))
	}
	return nil
}

func sendUrgent(c *net.TCPConn, b byte) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Control(func(fd uintptr) { _, sendErr = unix.SendmsgN(int(fd), []byte{b}, nil, nil, unix.MSG_OOB) })
	return errors.Join(err, sendErr)
}
