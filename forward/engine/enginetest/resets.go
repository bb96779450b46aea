//go:build linux

package enginetest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// resetCases break the connection from the client's side; each is also played with
// the sides exchanged.
var resetCases = []struct {
	name   string
	script script
	early  bool // it is broken before Forward is called
}{
	{"while idle", script{Client: side{Size: 10, End: stream.RST, EndAt: 10}, Server: side{Size: 10, Start: 10, EndAt: stream.AfterEnd}}, false},
	{"while sending", script{Client: side{Size: 1 << 20, End: stream.RST}, Server: side{EndAt: stream.AfterEnd}}, false},
	{"while receiving", script{Client: side{Size: 100, End: stream.RST, EndAt: 100_000}, Server: side{Size: 1 << 26}}, false},
	{"while both send", script{Client: side{Size: 1 << 20, End: stream.RST, EndAt: 100_000}, Server: side{Size: 1 << 26}}, false},
	{"after the other's end", script{Client: side{Size: 1000, Start: stream.AfterEnd, End: stream.RST}, Server: side{Size: 100}}, false},
	{"before Forward", script{Client: side{End: stream.RST}, Server: side{EndAt: stream.AfterEnd}}, true},
	{"before Forward, with data", script{Client: side{Size: 10_000, End: stream.RST}, Server: side{Size: 10, EndAt: stream.AfterEnd}}, true},
}

// resets checks that what breaks one connection breaks the other.
func resets() (list []check) {
	for _, c := range resetCases {
		mirrored := script{Client: c.script.Server, Server: c.script.Client}
		list = append(list,
			check{"reset/by client " + c.name, always, func(r *rig) error { return r.reset(c.script, c.early) }},
			check{"reset/by backend " + c.name, always, func(r *rig) error { return r.reset(mirrored, c.early) }})
	}
	return append(list,
		check{"reset/by blocked client", always | waits, func(r *rig) error { return r.resetBlocked(engine.Up, true) }},
		check{"reset/by blocked backend", always | waits, func(r *rig) error { return r.resetBlocked(engine.Down, true) }},
		check{"reset/by backend that does not read", always | waits, func(r *rig) error { return r.resetBlocked(engine.Up, false) }},
		check{"reset/by client that does not read", always | waits, func(r *rig) error { return r.resetBlocked(engine.Down, false) }},
		check{"reset/client leaves after its end", always, func(r *rig) error { return r.leaveAfterEnd(engine.Up) }},
		check{"reset/backend leaves after its end", always, func(r *rig) error { return r.leaveAfterEnd(engine.Down) }},
	)
}

// attempts is how often a reset may be late: on a busy machine everything is, now
// and then.
const attempts = 3

func (r *rig) reset(sc script, early bool) (err error) {
	for range attempts {
		s, openErr := r.newSession()
		if openErr != nil {
			return openErr
		}
		if early {
			s.headStart = 20 * time.Millisecond
		}
		err = s.play(&sc, 0)
		s.close()
		if !errors.As(err, new(tooLate)) {
			return err
		}
	}
	return err
}

// tooLate is an end that was passed on, but late.
type tooLate struct{ error }

// checkReset looks at how a reset was passed on.
func (s *session) checkReset(client, server *stream.Outcome) error {
	lag, causes := server.SawAt.Sub(client.Reset), []engine.Cause{engine.ClientReset}
	if client.Reset.IsZero() {
		lag, causes = client.SawAt.Sub(server.Reset), []engine.Cause{engine.BackendReset}
	}
	if s.headStart > 0 {
		// The connection was broken before Forward began.
		lag -= s.headStart
		causes = append(causes, engine.Failed)
	}
	if !slices.Contains(causes, s.end.Cause) {
		return fmt.Errorf("got cause %q (%v), want one of %q", s.end.Cause, s.end.Err, causes)
	}
	if err := within("the reset", lag, s.times.reset); err != nil {
		return tooLate{err}
	}
	return nil
}

// resetBlocked breaks a connection in whose direction d nothing moves any more,
// because nobody reads: by the writer or by the reader.
func (r *rig) resetBlocked(d engine.Direction, byWriter bool) error {
	s, err := r.start()
	if err != nil {
		return err
	}
	defer s.close()
	writer, reader := s.outer(d)
	if _, err := s.fill(d); err != nil {
		return err
	}
	breaker, other := reader, writer
	if byWriter {
		breaker, other = writer, reader
	}
	_ = breaker.SetLinger(0)
	_ = breaker.Close()
	return s.seesReset(other)
}

// seesReset reads what there is up to the reset that must follow.
func (s *session) seesReset(c *net.TCPConn) error {
	if err := c.SetReadDeadline(time.Now().Add(s.times.soon)); err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, c)
	switch {
	case isReset(err):
		return nil
	case err == nil:
		return fmt.Errorf("got %d bytes and a clean end, want a reset", n)
	}
	return fmt.Errorf("got %d bytes, then no reset: %w", n, err)
}

// leaveAfterEnd: the side that sends in direction d ends its stream, and later its
// process ends, while the other side still sends to it. That one must notice.
func (r *rig) leaveAfterEnd(d engine.Direction) error {
	s, err := r.start()
	if err != nil {
		return err
	}
	defer s.close()
	leaver, stayer := s.outer(d)
	if err := leaver.CloseWrite(); err != nil {
		return err
	}
	if err := eventually("the end to be passed on", r.times.soon, func() bool { return s.pair.Ended(d) }); err != nil {
		return err
	}
	if _, err := stayer.Write([]byte("x")); err != nil {
		return err
	}
	if _, err := io.ReadFull(leaver, make([]byte, 1)); err != nil {
		return err
	}
	leaver.Close()
	stayer.SetWriteDeadline(time.Now().Add(r.times.soon))
	for err = nil; err == nil; {
		_, err = stayer.Write(make([]byte, 64<<10))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the side that stayed has not noticed for %v that the other one is gone", r.times.soon)
	}
	return s.wait(r.times.soon)
}
