package packet

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// splicedPair returns a pair that the programs carry, and what Forward will return.
func splicedPair(t *testing.T, e *Engine) (client, backend interface{ CloseWrite() error }, p *engine.Pair, ended chan engine.End) {
	t.Helper()
	c, b, p := connect(t)
	ended = run(t, e, p)
	for deadline := time.Now().Add(20 * time.Second); p.State().Engine != Name; {
		exchange(t, c, b, 10)
		exchange(t, b, c, 10)
		if time.Now().After(deadline) {
			t.Fatal("not spliced: ", p.State().Why)
		}
	}
	return c, b, p, ended
}

// TestToldOfEnds: the programs tell of an end, so that Forward returns when it is there
// and not when somebody happens to look.
func TestToldOfEnds(t *testing.T) {
	e := start(t)
	const pairs = 21
	var took []time.Duration
	for range pairs {
		client, backend, p, ended := splicedPair(t, e)
		if err := client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); !p.Ended(engine.Up); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the client's end is not marked")
			}
		}
		if p.Ended(engine.Down) {
			t.Fatal("the backend's end is marked, and has not come")
		}
		begun := time.Now()
		if err := backend.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if end := <-ended; end != (engine.End{Cause: engine.ClientClosed}) {
			t.Fatal(end)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("Forward returns %v after the end, %v at most", took[pairs/2], took[pairs-1])
	if took[pairs/2] > often/4 {
		t.Errorf("Forward returns %v after the end", took[pairs/2])
	}
}

// TestAskWhenClosed: whoever has a pair may ask about it at any time, even when the
// engine was closed, as it must not be, while the pair was forwarded.
func TestAskWhenClosed(t *testing.T) {
	e := open(t, Options{})
	var pairs []*engine.Pair
	var ends []chan engine.End
	for range 5 {
		_, _, p, ended := splicedPair(t, e)
		pairs, ends = append(pairs, p), append(ends, ended)
	}
	var stop atomic.Bool
	var askers sync.WaitGroup
	for _, p := range pairs {
		askers.Go(func() {
			for !stop.Load() {
				if p.Moved(engine.Up) == 0 || p.Ended(engine.Down) || p.State().Engine != Name {
					t.Error("got a wrong answer")
					return
				}
			}
		})
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	for i, p := range pairs {
		p.Abort(engine.IdleTimeout)
		if end := <-ends[i]; end.Cause != engine.IdleTimeout {
			t.Error(end)
		}
		time.Sleep(time.Millisecond) // in which it is asked about
	}
	stop.Store(true)
	askers.Wait()
}
