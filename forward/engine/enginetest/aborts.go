//go:build linux

package enginetest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// states are what a session may be doing when it is aborted.
var states = []struct {
	name  string
	when  effort
	bring func(*session) error // brings it there
}{
	{"idle", always, func(s *session) error { return s.greet() }},
	{"silent from the start", always, func(s *session) error { return nil }},
	{"busy", always, func(s *session) error {
		for _, d := range []engine.Direction{engine.Up, engine.Down} {
			writer, reader := s.outer(d)
			go io.Copy(writer, endless{}) // until the connection ends
			go io.Copy(io.Discard, reader)
		}
		return eventually("bytes to move both ways", s.times.soon, func() bool {
			return s.pair.Moved(engine.Up) > 1<<20 && s.pair.Moved(engine.Down) > 1<<20
		})
	}},
	{"blocked", always | waits, func(s *session) error {
		_, err := s.fill(engine.Up)
		return err
	}},
	{"half-closed", always, func(s *session) error {
		if err := s.client.CloseWrite(); err != nil {
			return err
		}
		return eventually("the end to be passed on", s.times.soon, func() bool { return s.pair.Ended(engine.Up) })
	}},
}

// endless is a stream of zeros.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// aborts checks that Forward can be made to return, whatever it does.
func aborts() (list []check) {
	for _, state := range states {
		list = append(list, check{"abort/" + state.name, state.when, func(r *rig) error {
			s, err := r.start()
			if err != nil {
				return err
			}
			defer s.close()
			if err := state.bring(s); err != nil {
				return err
			}
			return s.abort()
		}})
	}
	return append(list,
		check{"abort/before Forward", always, abortBefore},
		check{"abort/many", unlessShort | alone, abortMany},
	)
}

// greet moves some bytes both ways.
func (s *session) greet() error {
	for _, d := range []engine.Direction{engine.Up, engine.Down} {
		if err := s.pingBack(d); err != nil {
			return err
		}
	}
	return nil
}

// abort aborts a session as an idle one would be, and looks at the ends.
func (s *session) abort() error {
	s.pair.Abort(engine.IdleTimeout)
	if err := s.wait(s.times.soon); err != nil {
		return fmt.Errorf("aborted: %w", err)
	}
	if s.end.Cause != engine.IdleTimeout {
		return fmt.Errorf("got cause %q (%v), want %q", s.end.Cause, s.end.Err, engine.IdleTimeout)
	}
	for name, c := range map[string]*net.TCPConn{"client": s.client, "backend": s.server} {
		_ = c.SetReadDeadline(time.Now().Add(s.times.soon))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("the %s's connection has not ended", name)
		}
	}
	return nil
}

func abortBefore(r *rig) error {
	s, err := r.newSession()
	if err != nil {
		return err
	}
	s.pair.Abort(engine.IdleTimeout)
	s.forward()
	defer s.close()
	return s.abort()
}

// abortMany aborts sessions at random moments and looks whether anything is left of
// them while the engine lives on.
func abortMany(r *rig) error {
	var first stock
	const rounds, each = 4, 12
	for round := range rounds {
		errs := make([]error, each)
		var running sync.WaitGroup
		for i := range each {
			running.Go(func() { errs[i] = r.abortDuring(uint64(round*each + i)) })
		}
		running.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		if round == 0 {
			first = holdings()
		}
	}
	const slack = each // pools may grow, but not with every session
	return first.waitForReturn(slack, r.times.soon)
}

// abortDuring aborts a busy conversation.
func (r *rig) abortDuring(seed uint64) error {
	s, err := r.start()
	if err != nil {
		return err
	}
	defer s.close()
	sc := script{Seed: seed, Client: side{Size: 1 << 26, Write: stream.Ragged}, Server: side{Size: 1 << 26, Write: stream.Ragged}}
	played := make(chan error, 1)
	go func() { played <- sc.Run(s.client, s.server, r.times.patience) }()
	time.Sleep(time.Duration(seed%6) * time.Millisecond)
	s.pair.Abort(engine.IdleTimeout)
	if err := s.wait(r.times.soon); err != nil {
		return fmt.Errorf("aborted: %w", err)
	}
	<-played // an abort may cut it off anywhere
	return nil
}
