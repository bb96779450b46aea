package forward

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/waggle-bpf/waggle/forward/backend"
)

// gateFunc is a gate, and counts who has left.
type gateFunc struct {
	pass func(ctx context.Context, c Caller, dial func() error) error
	left atomic.Int32
}

func (g *gateFunc) Pass(ctx context.Context, c Caller, dial func() error) (func(), error) {
	return func() { g.left.Add(1) }, g.pass(ctx, c, dial)
}

func TestGateHolds(t *testing.T) {
	s := serve(t, echo)
	held, open := make(chan Caller, 1), make(chan bool)
	g := &gateFunc{pass: func(_ context.Context, c Caller, dial func() error) error {
		held <- c
		<-open
		return dial()
	}}
	r := startWith(t, configure(s.addr()), Options{Gate: g})
	c := r.dial()
	send(t, c, "hello")
	caller := <-held
	if caller.Source.String() != c.LocalAddr().String() || len(caller.First) != 0 {
		t.Errorf("the gate sees %s, who said %q", caller.Source, caller.First)
	}
	if s := r.Status(-1).Connections; len(s) != 1 || s[0].Phase != "dialing" {
		t.Errorf("the connection is %+v", s)
	}
	close(open)
	expect(t, c, "hello")
	if g.left.Load() != 0 {
		t.Error("left before the end")
	}
	_ = c.CloseWrite()
	wantsEnd(t, c)
	if l := r.ended(); l.Up != 5 || l.Down != 5 || l.Refused != "" {
		t.Errorf("log: %+v", l)
	}
	until(t, "leave", func() bool { return g.left.Load() == 1 })
}

// TestGateDialsAgain: a backend that comes up late is dialled until it is there.
func TestGateDialsAgain(t *testing.T) {
	s := serve(t, echo)
	s.Close()
	var tries atomic.Int32
	g := &gateFunc{pass: func(_ context.Context, _ Caller, dial func() error) error {
		for {
			n := tries.Add(1)
			err := dial()
			if err == nil || backend.Local(err) {
				return err
			}
			if n == 3 {
				l, err := net.Listen("tcp", s.addr())
				if err != nil {
					t.Error(err)
					return err
				}
				t.Cleanup(func() { l.Close() })
				go func() {
					if c, err := l.Accept(); err == nil {
						echo(c.(*net.TCPConn))
						c.Close()
					}
				}()
			}
		}
	}}
	r := startWith(t, configure(s.addr()), Options{Gate: g})
	c := r.dial()
	send(t, c, "hello")
	expect(t, c, "hello")
	if n := tries.Load(); n != 4 {
		t.Errorf("%d dials, want 4", n)
	}
}

func TestGateTurnsAway(t *testing.T) {
	g := &gateFunc{pass: func(_ context.Context, c Caller, _ func() error) error {
		_, _ = io.WriteString(c.Conn, "sorry")
		return &TurnedAway{Reason: "closed today", Err: errors.New("holiday"), Polite: true}
	}}
	r := startWith(t, configure("127.0.0.1:1"), Options{Gate: g})
	if got := wantsEnd(t, r.dial()); got != "sorry" {
		t.Errorf("got %q", got)
	}
	if l := r.ended(); l.Refused != "closed today" || l.Error != "holiday" {
		t.Errorf("log: %+v", l)
	}
	if g.left.Load() != 0 {
		t.Error("who was not let through has left")
	}
}

// TestGateFails: without an answer of its own, a dial's error counts; others reset.
func TestGateFails(t *testing.T) {
	for _, test := range []struct {
		name string
		pass func(context.Context, Caller, func() error) error
		want string
	}{
		{"dial", func(_ context.Context, _ Caller, dial func() error) error { return dial() }, "refused"},
		{"gate", func(context.Context, Caller, func() error) error { return errors.New("jammed") }, "failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, nil)
			s.Close()
			r := startWith(t, configure(s.addr()), Options{Gate: &gateFunc{pass: test.pass}})
			r.dialReset()
			if l := r.ended(); l.Refused != test.want {
				t.Errorf("refused because of %q, want %q", l.Refused, test.want)
			}
		})
	}
}

// TestGateClose: the forwarder's end is that of who is held.
func TestGateClose(t *testing.T) {
	held := make(chan bool)
	g := &gateFunc{pass: func(ctx context.Context, _ Caller, _ func() error) error {
		close(held)
		<-ctx.Done()
		return ctx.Err()
	}}
	r := startWith(t, configure("127.0.0.1:1"), Options{Gate: g})
	c := r.dial()
	<-held
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	wantsReset(t, c)
	if l := r.ended(); l.Refused != shutdown {
		t.Errorf("log: %+v", l)
	}
}
