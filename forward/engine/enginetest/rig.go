//go:build linux

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// rig is a forwarder with an engine and a backend, in some place.
type rig struct {
	t           testing.TB // of all checks
	place       *place
	options     Options
	times       times
	settled     bool // see Options
	engine      engine.Engine
	front, back *net.TCPListener

	dialing sync.Mutex // accepted connections belong to those dialed

	mu        sync.Mutex
	seed      uint64
	forwarded int
	refused   map[string]int
	stuck     bool // a Forward does not end
}

// listen makes the two listeners.
func (r *rig) listen(t testing.TB) {
	listen := func(ns *testkit.NS, addr netip.Addr) *net.TCPListener {
		var config net.ListenConfig
		config.SetMultipathTCP(false)
		var l net.Listener
		var err error
		r.place.in(t, ns, func() {
			l, err = config.Listen(context.Background(), "tcp", netip.AddrPortFrom(addr, 0).String())
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.(*net.TCPListener)
	}
	r.front = listen(r.place.forwarder, r.place.front)
	r.back = listen(r.place.backend, r.place.back)
}

// dial connects from a namespace to a listener and returns both ends.
func (r *rig) dial(from *testkit.NS, l *net.TCPListener) (near, far *net.TCPConn, err error) {
	r.dialing.Lock()
	defer r.dialing.Unlock()
	var c net.Conn
	r.place.in(r.t, from, func() { c, err = net.DialTimeout("tcp", l.Addr().String(), r.times.patience) })
	if err != nil {
		return nil, nil, err
	}
	if err := l.SetDeadline(time.Now().Add(r.times.patience)); err != nil {
		return nil, nil, err
	}
	far, err = l.AcceptTCP()
	return c.(*net.TCPConn), far, err
}

// session is a connection through the forwarder.
type session struct {
	rig            *rig
	client, server *net.TCPConn // the outer ends
	pair           *engine.Pair
	ended          chan struct{} // closed when Forward has returned
	end            engine.End
	refused        bool
	times          times
	headStart      time.Duration // between the ends' first bytes and Forward
	settling       int64         // bytes that have moved each way to make the pair settle
}

// newSession connects the client with the forwarder, and the forwarder with the
// backend. Nothing is forwarded yet.
func (r *rig) newSession() (*session, error) {
	client, accepted, err := r.dial(r.place.client, r.front)
	if err != nil {
		return nil, err
	}
	dialed, server, err := r.dial(r.place.forwarder, r.back)
	if err != nil {
		return nil, err
	}
	return &session{
		rig: r, times: r.times, client: client, server: server,
		pair: engine.NewPair(accepted, dialed), ended: make(chan struct{}),
	}, nil
}

// take reads n bytes of the client's, and gives them, behind a prefix, to the backend.
func (s *session) take(n int, prefix []byte) error {
	b := slices.Grow(slices.Clone(prefix), n)[:len(prefix)+n]
	if len(b) == 0 {
		return nil
	}
	if err := s.pair.Client.SetReadDeadline(time.Now().Add(s.times.patience)); err != nil {
		return err
	}
	if _, err := io.ReadFull(s.pair.Client, b[len(prefix):]); err != nil {
		return fmt.Errorf("take %d bytes: %w", n, err)
	}
	if _, err := s.pair.Backend.Write(b); err != nil {
		return fmt.Errorf("give %d bytes: %w", len(b), err)
	}
	s.pair.Taken, s.pair.Given = uint64(n), uint64(len(b))
	return s.pair.Client.SetReadDeadline(time.Time{})
}

// forward does what an engine's caller does: it forwards, and closes the two inner
// connections, with RST unless both streams have come whole.
func (s *session) forward() {
	go func() {
		defer close(s.ended)
		s.end = s.rig.engine.Forward(s.pair)
		if refusal, ok := s.end.Refused(); ok {
			s.refused = true
			s.rig.note(refusal)
			s.end = forwardPlainly(s.pair)
		} else {
			s.rig.note(nil)
		}
		if s.end.Cause != engine.ClientClosed && s.end.Cause != engine.BackendClosed {
			s.pair.Reset()
		} else if ended := s.rig.options.Ended; ended != nil && !s.refused {
			if err := ended(s.pair); err != nil {
				s.rig.t.Error(err)
			}
		}
		s.pair.Client.Close()
		s.pair.Backend.Close()
	}()
}

// note counts a pair that was forwarded or refused.
func (r *rig) note(refusal *engine.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if refusal == nil {
		r.forwarded++
		return
	}
	if r.refused == nil {
		r.refused = make(map[string]int)
	}
	if r.refused[refusal.Reason]++; !slices.Contains(r.options.MayRefuse, refusal.Reason) {
		r.t.Errorf("refused: %v", refusal)
	}
}

// wait waits for Forward's end.
func (s *session) wait(limit time.Duration) error {
	select {
	case <-s.ended:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("wait %v for Forward to return: %w", limit, errTimeout)
	}
}

// close ends the session, whatever state it is in, and notices Forwards that can't
// be ended.
func (s *session) close() {
	s.pair.Abort(engine.Shutdown)
	for _, c := range []*net.TCPConn{s.client, s.server} {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
	if s.wait(s.times.soon) != nil {
		s.rig.mu.Lock()
		s.rig.stuck = true
		s.rig.mu.Unlock()
	}
}

// start opens a session that is being forwarded, and has settled.
func (r *rig) start() (*session, error) {
	s, err := r.newSession()
	if err != nil {
		return nil, err
	}
	s.forward()
	if err := s.settle(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// settle exchanges small messages until the pair has settled, if it is to.
func (s *session) settle() error {
	if !s.rig.settled {
		return nil
	}
	for deadline := time.Now().Add(4 * s.times.soon); ; time.Sleep(time.Millisecond) { // it is not about time
		if err := s.greet(); err != nil {
			return fmt.Errorf("settle: %w", err)
		}
		s.settling += greeting
		if s.rig.options.Settled(s.pair) {
			return nil
		}
		if time.Now().After(deadline) {
			state := s.pair.State()
			return fmt.Errorf("settle: not after %d bytes each way; it is with %s: %s", s.settling, state.Engine, state.Why)
		}
	}
}

// play lets the script run over the session and judges it. Both ends begin at once,
// the forwarder a head start later and after it has taken what it takes; or both ends
// begin when the pair has settled.
func (s *session) play(sc *script, take int) error {
	if err := sc.Check(); err != nil {
		return err
	}
	if s.rig.settled {
		s.forward()
		if err := s.settle(); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(s.times.patience)
	var client, server *stream.Outcome
	var ends sync.WaitGroup
	ends.Go(func() { client = sc.PlayClient(s.client, deadline) })
	ends.Go(func() { server = sc.PlayServer(s.server, deadline) })
	var err error
	if !s.rig.settled {
		time.Sleep(s.headStart)
		err = s.take(take, sc.Prefix)
		s.forward()
	}
	if err != nil {
		s.close()
	}
	ends.Wait()
	if err := errors.Join(err, sc.Judge(client, server)); err != nil {
		return err
	}
	if err := s.wait(s.times.soon); err != nil {
		return err
	}
	if client.Reset.IsZero() && server.Reset.IsZero() {
		return s.checkEnd(sc)
	}
	return s.checkReset(client, server)
}
