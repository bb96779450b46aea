package wake

import (
	"context"
	"errors"
	"testing"
	"time"
)

// process is a target that runs on whatever happens, and counts who waits for its end.
type process struct {
	*server
	waiting chan int // how many more, or fewer
}

func (p *process) Wait(ctx context.Context) error {
	p.waiting <- 1
	defer func() { p.waiting <- -1 }()
	<-ctx.Done()
	return ctx.Err()
}

// TestOneWatch: a start that finds that the process runs already does not watch it twice.
func TestOneWatch(t *testing.T) {
	s := newServer(t, echo)
	p := &process{s, make(chan int)}
	watched, most := 0, 0
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		for n := range p.waiting {
			watched += n
			most = max(most, watched)
		}
	}()
	r := start(t, s, func(o *Options) { o.Start, o.Harmless = p, true })
	for range 10 {
		if err := talks(r.f.Addrs()[0].String()); err != nil {
			t.Fatal(err)
		}
		s.down() // and the process goes on
	}
	r.finish()
	close(p.waiting)
	<-counted
	if most > 2 || watched != 0 { // one that ends, and its successor
		t.Errorf("%d watched at a time, %d in the end", most, watched)
	}
}

// TestVanishTimeout: a target that still answers when the time is up has not stopped, even
// if the time ends in the midst of a question.
func TestVanishTimeout(t *testing.T) {
	for _, slow := range []time.Duration{0, time.Hour} {
		t.Run(slow.String(), func(t *testing.T) {
			stop := stopFunc(func(context.Context) error { return nil })
			w := New(Options{Stop: stop, Probe: slowProbe(slow), Vanish: time.Hour, Notice: t.Logf})
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := w.stop(ctx); !errors.Is(err, errStillThere) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// slowProbe finds a target after some time, if it gets that.
type slowProbe time.Duration

func (p slowProbe) Look(ctx context.Context) error {
	select {
	case <-time.After(time.Duration(p)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p slowProbe) Check(ctx context.Context, _ time.Duration) error { return p.Look(ctx) }
