//go:build linux

package enginetest

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// plain is an engine that is right, but for what its simplicity forbids.
type plain struct {
	forward func(*engine.Pair) engine.End
}

func (plain) Name() string                           { return "plain" }
func (p plain) Forward(pair *engine.Pair) engine.End { return p.forward(pair) }
func (plain) Close() error                           { return nil }

func newPlain(testing.TB) engine.Engine { return plain{forwardPlainly} }

const writes = "it can't watch a connection while it writes to the other one"

func TestRun(t *testing.T) {
	Run(t, newPlain, Options{Skip: map[string]string{
		"reset/by blocked client":  writes,
		"reset/by blocked backend": writes,
	}})
}

// TestRefusals: an engine that refuses before it has taken a byte passes.
func TestRefusals(t *testing.T) {
	var n int
	var mu sync.Mutex
	refuse := func(p *engine.Pair) engine.End {
		mu.Lock()
		defer mu.Unlock()
		if n++; n%2 == 0 {
			return engine.End{Err: engine.Refuse("even", nil)}
		}
		return forwardPlainly(p)
	}
	Run(t, func(testing.TB) engine.Engine { return plain{refuse} }, Options{
		Loopback: true, MayRefuse: []string{"even"}, only: "early/",
	})
}

// TestSettled: pairs are brought to where the engine wants them before they are
// checked, and those that don't get there fail.
func TestSettled(t *testing.T) {
	const enough = 10 * greeting
	Run(t, newPlain, Options{
		Loopback: true, only: "conversation/",
		Settled: func(p *engine.Pair) bool { return p.Moved(engine.Up) >= enough },
		Ended: func(p *engine.Pair) error {
			if moved := p.Moved(engine.Up); strings.HasSuffix(t.Name(), "settled") && moved < enough {
				return fmt.Errorf("%d bytes were moved up, want at least %d", moved, enough)
			}
			return nil
		},
	})
	r := &rig{t: t, place: loopback("127.0.0.1")(t), times: quick, settled: true, engine: newPlain(t)}
	r.options.Settled = func(*engine.Pair) bool { return false }
	r.listen(t)
	if _, err := r.start(); err == nil || !strings.Contains(err.Error(), "settle: not after") {
		t.Errorf("got %v", err)
	}
}

// faulty are engines with one fault each, the check that has to find it, and what
// it has to say.
var faulty = []struct {
	name    string
	forward func(*engine.Pair) engine.End
	check   string
	want    string
}{
	{"sends the first bytes twice", func(p *engine.Pair) engine.End {
		b := make([]byte, 100)
		n, _ := io.ReadFull(p.Client, b)
		p.Backend.Write(b[:n])
		p.Backend.Write(b[:n])
		return forwardPlainly(p)
	}, "conversation/upload", "came byte 0 again"},
	{"closes both at the first end", func(p *engine.Pair) engine.End {
		io.Copy(onlyWriter{p.Backend}, p.Client)
		return p.Closed()
	}, "conversation/upload, end, long reply", "server to client"},
	{"ends a broken connection cleanly", func(p *engine.Pair) engine.End {
		forwardPlainly(p)
		return p.Closed()
	}, "reset/by client while idle", "reset by the sender, but the receiver saw FIN"},
	{"counts what the router took", func(p *engine.Pair) engine.End {
		p.Count(engine.Up, int(p.Taken))
		return forwardPlainly(p)
	}, "early/all of a request", "bytes moved up, want 0"},
	{"counts at the end", func(p *engine.Pair) engine.End {
		p.SetMeter(new(engine.Counters))
		return forwardPlainly(p)
	}, "odd/meter runs along", "got 0"},
	{"loses what follows the router's bytes", func(p *engine.Pair) engine.End {
		if p.Taken > 0 {
			p.Client.Read(make([]byte, 1000))
		}
		return forwardPlainly(p)
	}, "early/part of a request", "client to server"},
	{"refuses after it has read", func(p *engine.Pair) engine.End {
		p.Client.Read(make([]byte, 10))
		return engine.End{Err: engine.Refuse("too late", nil)}
	}, "conversation/request and reply", "came byte 10"},
	{"buffers without a limit", func(p *engine.Pair) engine.End {
		r, w := unbounded()
		go io.Copy(w, p.Client)
		io.Copy(onlyWriter{p.Backend}, r)
		return p.Closed()
	}, "pressure/backend does not read", "MiB were taken"},
	{"lets one direction block the other", func(p *engine.Pair) engine.End {
		b := make([]byte, 32<<10)
		for {
			for _, d := range []engine.Direction{engine.Up, engine.Down} {
				p.Source(d).SetReadDeadline(time.Now().Add(time.Millisecond))
				n, _ := p.Source(d).Read(b)
				if _, err := p.Sink(d).Write(b[:n]); err != nil {
					return engine.End{Cause: engine.Failed}
				}
			}
		}
	}, "pressure/backend does not read", "i/o timeout"},
	{"does not mark ends", func(p *engine.Pair) engine.End {
		q := engine.NewPair(p.Client, p.Backend)
		p.OnAbort(func() { q.Abort(engine.Shutdown) })
		return forwardPlainly(q)
	}, "odd/end is marked while the other direction goes on", "the end to be marked"},
	{"waits for full packets", func(p *engine.Pair) engine.End {
		p.Client.SetNoDelay(false)
		p.Backend.SetNoDelay(false)
		for _, d := range []engine.Direction{engine.Up, engine.Down} {
			go func() {
				b := make([]byte, 1)
				for {
					if _, err := p.Source(d).Read(b); err != nil {
						return
					}
					p.Sink(d).Write(b)
				}
			}()
		}
		aborted := make(chan bool)
		p.OnAbort(func() { close(aborted) })
		<-aborted
		return engine.End{Cause: p.Aborted()}
	}, "odd/no delay for single bytes", "the median round trip"},
	{"tells the wrong side", func(p *engine.Pair) engine.End {
		end := forwardPlainly(p)
		if end.Cause == engine.ClientClosed {
			end.Cause = engine.BackendClosed
		}
		return end
	}, "conversation/upload", "although the other side ended first"},
}

func TestFaults(t *testing.T) {
	for _, f := range faulty {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			silent := &silentT{TB: t}
			r := &rig{t: silent, place: loopback("127.0.0.1")(t), options: Options{}.withDefaults(), times: quick, engine: plain{f.forward}}
			r.listen(t)
			for _, c := range checks(sizes[always]) {
				if c.name == f.check {
					if err := c.run(r); err == nil || !strings.Contains(err.Error(), f.want) {
						t.Errorf("%s: got %v, want %q", c.name, err, f.want)
					}
					return
				}
			}
			t.Fatalf("no check is called %s", f.check)
		})
	}
}

// quick are times for engines that fail for sure.
var quick = times{soon: 500 * time.Millisecond, reset: time.Second, roundTrip: 20 * time.Millisecond, stall: 2 * time.Second, patience: 3 * time.Second}

// onlyWriter hides that a connection can splice, for which package net keeps pipes.
type onlyWriter struct{ io.Writer }

// silentT ignores what fails: it has to.
type silentT struct{ testing.TB }

func (*silentT) Error(...any)          {}
func (*silentT) Errorf(string, ...any) {}

// TestStuck: a Forward that ignores Abort is told, and nothing is checked after it.
func TestStuck(t *testing.T) {
	ended := make(chan bool)
	defer close(ended)
	deaf := plain{func(*engine.Pair) engine.End { <-ended; return engine.End{} }}
	r := &rig{t: t, place: loopback("127.0.0.1")(t), options: Options{}.withDefaults(), times: quick, engine: deaf}
	r.listen(t)
	for _, c := range checks(sizes[always]) {
		if c.name == "abort/before Forward" {
			if err := c.run(r); err == nil || !r.stuck {
				t.Errorf("got %v, stuck %t", err, r.stuck)
			}
		}
	}
}

// rest is what is held when nobody is about to give anything back, as the tests before
// may be.
func rest() stock {
	s := holdings()
	for quiet := 0; quiet < 10; quiet++ {
		time.Sleep(5 * time.Millisecond)
		if now := holdings(); !reflect.DeepEqual(now, s) {
			s, quiet = now, 0
		}
	}
	return s
}

// TestLeaks: goroutines and files that an engine leaves are told.
func TestLeaks(t *testing.T) {
	before := rest()
	r, w := io.Pipe()
	go io.Copy(io.Discard, r)
	if err := before.compare(holdings(), 0); err == nil || !strings.Contains(err.Error(), "1 goroutines") {
		t.Errorf("got %v", err)
	}
	w.Close()
	l, err := newPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := before.compare(holdings(), 1); err == nil || !strings.Contains(err.Error(), "2 files (pipe)") {
		t.Errorf("got %v", err)
	}
	l.close()
	if err := before.waitForReturn(0, 5*time.Second); err != nil {
		t.Error(err)
	}
}
