package wake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/config"
)

// TestOneStart: many clients come during a start.
func TestOneStart(t *testing.T) {
	s := newServer(t, echo)
	s.delay = 300 * time.Millisecond
	r := start(t, s, nil)
	const crowd = 200
	addr := r.f.Addrs()[0].String()
	errs := make(chan error, crowd)
	for range crowd {
		go func() { errs <- talks(addr) }()
	}
	for range crowd {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := s.starts.Load(); n != 1 {
		t.Errorf("%d starts, want 1", n)
	}
	r.noticed("target started in")
	r.noticed("reachable in")
}

// TestRace lets clients come and the target be stopped at the same time. The target is
// stopped as if it was killed: a client that was forwarded to it would be cut off.
func TestRace(t *testing.T) {
	for _, harmless := range []bool{false, true} {
		t.Run(fmt.Sprintf("harmless=%t", harmless), func(t *testing.T) { testRace(t, harmless) })
	}
}

func testRace(t *testing.T, harmless bool) {
	rounds := 1000
	if testing.Short() {
		rounds = 200
	}
	s := newServer(t, echo)
	const idle = time.Millisecond
	r := start(t, s, func(o *Options) { o.Idle, o.Harmless = idle, harmless })
	addr := r.f.Addrs()[0].String()
	const clients = 4
	var work sync.WaitGroup
	for i := range clients {
		rng := rand.New(rand.NewPCG(uint64(i), 0))
		work.Go(func() {
			for range rounds / clients {
				time.Sleep(time.Duration(rng.Int64N(int64(4 * idle))))
				if err := talks(addr); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	t.Logf("%d clients, %d starts, %d stops", rounds, s.starts.Load(), s.stops.Load())
	if s.stops.Load() < int32(rounds/50) {
		t.Errorf("%d stops, too few to race with", s.stops.Load())
	}
}

// TestThere: a target that runs already is not started, but stopped when it is idle.
func TestThere(t *testing.T) {
	s := newServer(t, echo)
	if err := s.up(); err != nil {
		t.Fatal(err)
	}
	r := start(t, s, func(o *Options) { o.Idle = 50 * time.Millisecond })
	r.noticed("target is there")
	r.noticed("stopping: idle for 50ms")
	r.until("it has stopped", func() bool { return r.State() == Stopped })
	if s.starts.Load() != 0 || s.stops.Load() != 1 {
		t.Errorf("%d starts and %d stops, want none and 1", s.starts.Load(), s.stops.Load())
	}
	// Somebody else starts it.
	if err := s.up(); err != nil {
		t.Fatal(err)
	}
	if err := talks(r.f.Addrs()[0].String()); err != nil {
		t.Error(err)
	}
	if s.starts.Load() != 0 {
		t.Error("it was started although it was there")
	}
}

// TestZeroAndBack goes down and up again and again.
func TestZeroAndBack(t *testing.T) {
	s := newServer(t, echo)
	r := start(t, s, func(o *Options) { o.Idle = time.Millisecond })
	const rounds = 100
	for range rounds {
		if err := talks(r.f.Addrs()[0].String()); err != nil {
			t.Fatal(err)
		}
		r.until("it has stopped", func() bool { return r.State() == Stopped })
	}
	if s.starts.Load() != rounds || s.stops.Load() != rounds {
		t.Errorf("%d starts and %d stops, want %d of both", s.starts.Load(), s.stops.Load(), rounds)
	}
}

// TestDies: a target that ends by itself is started by the next client, whether its end
// was noticed or not.
func TestDies(t *testing.T) {
	s := newServer(t, echo)
	r := start(t, s, nil)
	addr := r.f.Addrs()[0].String()
	for range 3 {
		if err := talks(addr); err != nil {
			t.Fatal(err)
		}
		s.die(errors.New("exit status 3"))
		r.noticed("target has ended by itself: exit status 3")
		r.until("it is known", func() bool { return r.State() == Stopped })
		if err := talks(addr); err != nil {
			t.Fatal(err)
		}
		s.down() // and nobody says so
	}
	if n := s.starts.Load(); n < 4 {
		t.Errorf("%d starts", n)
	}
}

// TestLeaves: who leaves while it is held is dropped; who has only said all that it has
// to say is not.
func TestLeaves(t *testing.T) {
	s := newServer(t, echo)
	s.delay = time.Hour // until the test lets it come up
	r := start(t, s, nil)

	silent, request, reset, patient := r.dial(), r.dial(), r.dial(), r.dial()
	for c, text := range map[*net.TCPConn]string{request: "GET / HTTP/1.1\r\n", reset: "hello", patient: "hello"} {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	r.waits(4)
	if err := patient.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	silent.Close()
	r.waits(3)
	request.Close()
	r.waits(2)
	_ = reset.SetLinger(0)
	reset.Close()
	r.waits(1)
	if err := s.up(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(patient); string(got) != "hello" || err != nil {
		t.Errorf("the one who stayed got %q and %v", got, err)
	}
	r.logged(`refused="client closed"`)
}

// TestLastLeaves: a start goes on when nobody waits for it any more.
func TestLastLeaves(t *testing.T) {
	s := newServer(t, echo)
	s.delay = 100 * time.Millisecond
	r := start(t, s, nil)
	c := r.dial()
	r.waits(1)
	r.noticed("starting the target") // before, it is only looked for
	c.Close()
	r.waits(0)
	r.until("it is ready", func() bool { return r.State() == Ready })
}

// TestHoldLimit: more than can be held are told so.
func TestHoldLimit(t *testing.T) {
	s := newServer(t, echo)
	s.delay = time.Hour
	r := start(t, s, func(o *Options) { o.Held = 2 })
	first, second := r.dial(), r.dial()
	r.waits(2)
	third := r.dial()
	wantsReset(t, third)
	r.logged(`refused="too many clients held"`)
	r.noticed("clients are turned away: 2 wait already")
	if err := s.up(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*net.TCPConn{first, second} {
		if err := says(c, "hello"); err != nil {
			t.Error(err)
		}
	}
}

// TestTold: clients that speak HTTP are told that the target can't be started, in HTTP.
func TestTold(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		t.Run(method, func(t *testing.T) {
			s := newServer(t, echo)
			broken := errors.New("start target: no power")
			s.fail.Store(&broken)
			r := start(t, s, nil)
			c := r.dial()
			if _, err := io.WriteString(c, method+" / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(c)
			resp, err := http.ReadResponse(in, &http.Request{Method: method})
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || err != nil {
				t.Errorf("%s, %v, %v", resp.Status, resp.Header, err)
			}
			if method == "GET" && !strings.Contains(string(body), "try again") {
				t.Errorf("body %q", body)
			}
			if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
				t.Errorf("behind the response: %q and %v", rest, err)
			}
		})
	}
}

// TestStartFails: clients that can't be told are reset, and the next one tries again.
func TestStartFails(t *testing.T) {
	s := newServer(t, echo)
	broken := errors.New("start target: no power")
	s.fail.Store(&broken)
	r := start(t, s, nil)
	c := r.dial()
	if _, err := io.WriteString(c, "SSH-2.0-client\r\n"); err != nil {
		t.Fatal(err)
	}
	wantsReset(t, c)
	r.noticed("start target: no power; 1 client turned away; the next try is in 1s")
	r.logged(`refused="target failed"`)
	r.logged(`error="start target: no power"`)
	s.fail.Store(nil)
	if err := talks(r.f.Addrs()[0].String()); err != nil {
		t.Error(err)
	}
}

// TestNeverReady: the time is up. Nothing is left of the target.
func TestNeverReady(t *testing.T) {
	s := newServer(t, echo)
	s.delay = time.Hour
	r := start(t, s, func(o *Options) { o.Timeout = 500 * time.Millisecond })
	wantsReset(t, r.dial())
	r.noticed("wait for target: not ready after")
	r.noticed("connection refused; --timeout gives it more time; 1 client turned away")
	r.until("what is left is stopped", func() bool { return s.stops.Load() > 0 })
}

// TestExitsAtOnce: a process that ends with an error is not waited for.
func TestExitsAtOnce(t *testing.T) {
	s := newServer(t, echo)
	s.delay = time.Hour
	s.exited = make(chan error, 1)
	r := start(t, s, nil)
	c := r.dial()
	r.noticed("target started in")
	s.die(errors.New("exit status 1"))
	wantsReset(t, c)
	r.noticed("its process has ended after")
	r.noticed("exit status 1; 1 client turned away")
}

// TestLies: the port is open long before the application is there, which only a probe
// that speaks its protocol finds out.
func TestLies(t *testing.T) {
	for _, test := range []struct{ probe, greeting string }{
		{"ssh", "SSH-2.0-x\r\n"},
		{"http:/health", "HTTP/1.1 204 No Content\r\n\r\n"},
	} {
		t.Run(test.probe, func(t *testing.T) {
			ready := time.Now().Add(300 * time.Millisecond)
			s := newServer(t, func(c *net.TCPConn) {
				if time.Now().Before(ready) {
					return
				}
				_, _ = io.WriteString(c, test.greeting)
				echo(c)
			})
			probe, err := ParseProbe(test.probe, s.addr, config.NoProxy)
			if err != nil {
				t.Fatal(err)
			}
			r := start(t, s, func(o *Options) { o.Probe = probe })
			c := r.dial() // and says nothing
			got := make([]byte, len(test.greeting))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != test.greeting {
				t.Errorf("got %q and %v", got, err)
			}
			if time.Now().Before(ready) {
				t.Error("let through before it was ready")
			}
		})
	}
}

// TestQuit ends in every state.
func TestQuit(t *testing.T) {
	t.Run("held", func(t *testing.T) {
		s := newServer(t, echo)
		s.delay = time.Hour
		r := start(t, s, nil)
		c := r.dial()
		r.waits(1)
		r.until("it is being started", func() bool { return s.starts.Load() == 1 }) // it was looked for before
		r.finish()
		wantsReset(t, c)
		if s.stops.Load() == 0 {
			t.Error("what was started is left")
		}
	})
	t.Run("served", func(t *testing.T) {
		s := newServer(t, echo)
		r := start(t, s, nil)
		c := r.dial()
		if err := says(c, "hello"); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			r.finish()
			close(ended)
		}()
		r.until("it drains", func() bool { return r.State() == Draining })
		if err := says(c, "still here"); err != nil {
			t.Error(err)
		}
		c.Close()
		<-ended
		if s.stops.Load() != 1 {
			t.Errorf("%d stops, want 1", s.stops.Load())
		}
	})
	t.Run("kept", func(t *testing.T) {
		s := newServer(t, echo)
		r := start(t, s, func(o *Options) { o.End = false })
		if err := talks(r.f.Addrs()[0].String()); err != nil {
			t.Fatal(err)
		}
		r.finish()
		if s.stops.Load() != 0 {
			t.Error("it was stopped")
		}
	})
}

// repeater is a target that hears only some of the starts.
type repeater struct {
	*server
	deaf atomic.Int32
}

func (r *repeater) Start(ctx context.Context) error {
	if r.deaf.Add(-1) >= 0 {
		return nil
	}
	return r.server.Start(ctx)
}

func (r *repeater) Repeat() time.Duration { return 10 * time.Millisecond }

// TestRepeat: a start that is not heard is repeated.
func TestRepeat(t *testing.T) {
	s := newServer(t, echo)
	deaf := &repeater{server: s}
	deaf.deaf.Store(3)
	r := start(t, s, func(o *Options) { o.Start = deaf })
	if err := talks(r.f.Addrs()[0].String()); err != nil {
		t.Error(err)
	}
}

// stopFunc is a Stopper.
type stopFunc func(context.Context) error

func (f stopFunc) Stop(ctx context.Context) error { return f(ctx) }

// TestCantStop: a target that goes on although it was stopped is served, and it is said.
func TestCantStop(t *testing.T) {
	s := newServer(t, echo)
	r := start(t, s, func(o *Options) {
		o.Stop, o.Idle = stopFunc(func(context.Context) error { return nil }), 20*time.Millisecond
	})
	for range 3 {
		if err := talks(r.f.Addrs()[0].String()); err != nil {
			t.Fatal(err)
		}
		r.noticed("stop target: it still answers")
	}
	if n := s.starts.Load(); n != 1 {
		t.Errorf("%d starts, want 1", n)
	}
	r.finish()
	if r.Err() == nil {
		t.Error("the end is no error")
	}
}

// TestOthers: a target that somebody else has started, and that can't be stopped, is left
// as it is in the end, which is no error.
func TestOthers(t *testing.T) {
	s := newServer(t, echo)
	if err := s.up(); err != nil {
		t.Fatal(err)
	}
	r := start(t, s, func(o *Options) {
		o.Stop, o.Idle = stopFunc(func(context.Context) error { return nil }), 20*time.Millisecond
	})
	r.noticed("stop target: it still answers")
	r.until("it is seen that it goes on", func() bool { return r.State() == Ready })
	r.finish()
	if err := r.Err(); err != nil {
		t.Errorf("in the end: %v", err)
	}
}

// TestVanishes: a Stop that only asks is given time, and who comes meanwhile is served
// by the next run.
func TestVanishes(t *testing.T) {
	s := newServer(t, echo)
	r := start(t, s, func(o *Options) {
		o.Stop, o.Idle, o.Vanish = stopFunc(func(context.Context) error {
			time.AfterFunc(2*stopLook, s.down)
			return nil
		}), 20*time.Millisecond, patience
	})
	for n := range int32(3) {
		if err := talks(r.f.Addrs()[0].String()); err != nil {
			t.Fatal(err)
		}
		if starts := s.starts.Load(); starts != n+1 {
			t.Errorf("%d starts after %d clients", starts, n+1)
		}
		r.until("it is being stopped", func() bool { return r.State() == Stopping })
	}
}
