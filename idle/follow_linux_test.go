package idle

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/idle/policy"
	"github.com/waggle-bpf/waggle/idle/process"
	"github.com/waggle-bpf/waggle/idle/watch"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fake is a watcher that tells what a test wants it to.
type fake struct {
	settle func(sink func(watch.Event)) error // nil for nothing
	moved  func(each func(uint64, watch.Bytes)) error

	mu   sync.Mutex
	sink func(watch.Event)
}

func (*fake) Name() string  { return "fake" }
func (*fake) Where() string { return "here" }
func (*fake) Close() error  { return nil }
func (f *fake) Run(ctx context.Context, sink func(watch.Event)) error {
	f.mu.Lock()
	f.sink = sink
	f.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (f *fake) Settle(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.settle == nil || f.sink == nil {
		return nil
	}
	return f.settle(f.sink)
}

func (f *fake) Moved(each func(uint64, watch.Bytes)) error {
	if f.moved == nil {
		return nil
	}
	return f.moved(each)
}

// holder is a target that is frozen and thawed.
type holder struct{ did chan string }

func (h *holder) Start(context.Context) error { h.did <- "thaw"; return nil }
func (h *holder) Stop(context.Context) error  { h.did <- "freeze"; return nil }
func (h *holder) String() string              { return "holder" }

// lines are the lines of a log.
type lines struct {
	mu   sync.Mutex
	list []string
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, line)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.list, "\n")
}

// newRunner makes a runner of a fake watcher.
func newRunner(w watch.Watcher, c policy.Config) (*runner, *lines) {
	var log lines
	now := time.Now()
	return &runner{
		options: Options{Policy: c, KillAfter: 20 * time.Second, Log: log.add, OnIdle: actionExit},
		started: now, kick: make(chan struct{}, 1), watcher: w, machine: policy.New(c, now),
	}, &log
}

func opened(id uint64, now time.Time) watch.Event {
	c := watch.Conn{ID: id, Client: netip.MustParseAddrPort("10.0.0.1:1000"), Port: 22, Opened: now}
	return watch.Event{Kind: watch.Opened, Conn: c, Time: now}
}

// TestLastLook: who is found in the last moment keeps the service up.
func TestLastLook(t *testing.T) {
	looks := 0
	f := &fake{settle: func(sink func(watch.Event)) error {
		switch looks++; looks {
		case 1:
			sink(opened(1, time.Now()))
			time.AfterFunc(50*time.Millisecond, func() {
				e := opened(1, time.Now())
				e.Kind = watch.Closed
				sink(e)
			})
		}
		return nil
	}}
	r, log := newRunner(f, policy.Config{Idle: 20 * time.Millisecond})
	if err := r.supervise(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); looks != 2 || strings.Count(text, "stopping: ") != 1 || !strings.Contains(text, "accepted 10.0.0.1:1000") {
		t.Errorf("%d looks:\n%s", looks, text)
	}
}

// TestLastBytes: who has moved enough to count in the last moment keeps the service up,
// long before bytes are asked for again.
func TestLastBytes(t *testing.T) {
	var moved bool
	f := &fake{settle: func(func(watch.Event)) error { moved = true; return nil }}
	f.moved = func(each func(uint64, watch.Bytes)) error {
		if moved {
			each(1, watch.Bytes{In: 1000, Known: true})
		}
		return nil
	}
	r, log := newRunner(f, policy.Config{Idle: 20 * time.Millisecond, MinBytes: 1000})
	e := opened(1, time.Now())
	r.event(e)
	r.event(opened(2, time.Now())) // which moves nothing
	if d, err := r.decide(t.Context()); err != nil || d.Stop || d.Busy {
		t.Fatalf("got %+v, %v before the time is over", d, err)
	}
	time.Sleep(30 * time.Millisecond)
	if d, err := r.decide(t.Context()); err != nil || d.Stop || !d.Busy {
		t.Errorf("got %+v, %v; the log:\n%s", d, err, log)
	}
}

// TestToldTogether: if the service and we are told to end at the same time, it has not
// ended by itself, whoever of us is faster.
func TestToldTogether(t *testing.T) {
	testkit.RequireTool(t, "sh")
	for _, late := range []time.Duration{0, simultaneous / 10} {
		for range 5 {
			table, err := process.NewTable(false)
			if err != nil {
				t.Fatal(err)
			}
			r, log := newRunner(new(fake), policy.Config{Idle: time.Hour})
			r.options.Command = []string{"/bin/sh", "-c", "exit 255"}
			if r.service, err = table.StartService(process.Options{Command: r.options.Command}); err != nil {
				t.Fatal(err)
			}
			<-r.service.Done()
			ctx, cancel := context.WithTimeout(t.Context(), late)
			err = r.supervise(ctx)
			cancel()
			if err != nil || log.String() != "stopping: told to" {
				t.Errorf("told %v later: %v; the log:\n%s", late, err, log)
			}
		}
	}
}

// TestBroken: when the watcher fails, the service is stopped as always, not killed.
func TestBroken(t *testing.T) {
	testkit.RequireTool(t, "sh")
	broken := errors.New("out of order")
	for name, f := range map[string]*fake{
		"settle": {settle: func(func(watch.Event)) error { return broken }},
		"moved":  {moved: func(func(uint64, watch.Bytes)) error { return broken }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ready, asked := filepath.Join(dir, "ready"), filepath.Join(dir, "asked")
			table, err := process.NewTable(false)
			if err != nil {
				t.Fatal(err)
			}
			r, _ := newRunner(f, policy.Config{Idle: time.Millisecond, Quiet: time.Millisecond})
			r.options.Command = []string{"/bin/sh", "-c", "trap 'echo >" + asked + "; exit' TERM; echo >" + ready + "; while :; do sleep 0.01; done"}
			r.service, err = table.StartService(process.Options{Command: r.options.Command})
			if err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
				if _, err := os.Stat(ready); err == nil || time.Now().After(deadline) {
					break
				}
			}
			r.event(opened(1, time.Now()))
			if name == "settle" {
				r.event(watch.Event{Kind: watch.Closed, Conn: opened(1, time.Now()).Conn, Time: time.Now()})
			}
			err = r.supervise(t.Context())
			if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "watch by fake: ") {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(asked); err != nil {
				t.Error("the service was not asked to end")
			}
		})
	}
}

// TestFrozen: everybody thaws the service who comes or moves something, whether it has
// come to count or not, and however it ends the service is thawed.
func TestFrozen(t *testing.T) {
	f := &fake{moved: func(each func(uint64, watch.Bytes)) error {
		each(1, watch.Bytes{In: 10, Known: true})
		return nil
	}}
	r, _ := newRunner(f, policy.Config{Idle: 20 * time.Millisecond, MinBytes: 1000})
	h := &holder{did: make(chan string)}
	r.action, r.options.OnIdle = h, actionFreeze
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.supervise(ctx) }()
	want := func(want string) {
		t.Helper()
		select {
		case got := <-h.did:
			if got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no %s", want)
		}
	}
	want("freeze")
	r.event(opened(1, time.Now())) // which has moved nothing, and can't
	want("thaw")
	want("freeze") // it doesn't count, after all
	why := r.Why()
	if last := why.Signals[len(why.Signals)-1]; why.State != "frozen" || last.Value != "over" {
		t.Errorf("state %s, idle time %s; want frozen, over", why.State, last.Value)
	}
	if _, err := r.Hold("because", time.Hour); err != nil {
		t.Fatal(err)
	}
	want("thaw")
	r.Release(1)
	want("freeze")
	cancel()
	want("thaw")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// brokenHolder can't be frozen.
type brokenHolder struct{ holder }

func (*brokenHolder) Stop(context.Context) error { return errors.New("out of order") }

// TestNotFrozen: what can't be frozen is stopped with an error, and thawed as far as it
// was frozen.
func TestNotFrozen(t *testing.T) {
	r, _ := newRunner(new(fake), policy.Config{Idle: time.Millisecond})
	h := &brokenHolder{holder{make(chan string, 1)}}
	r.action, r.options.OnIdle = h, actionFreeze
	if err := r.supervise(t.Context()); err == nil || err.Error() != "on idle: out of order" {
		t.Errorf("got %v", err)
	}
	if got := <-h.did; got != "thaw" {
		t.Errorf("got %s", got)
	}
}

// TestLateHold: there is nothing to hold when the service is being stopped.
func TestLateHold(t *testing.T) {
	r, _ := newRunner(new(fake), policy.Config{Idle: time.Millisecond})
	h := &holder{did: make(chan string)}
	r.action, r.options.OnIdle = h, "a holder"
	done := make(chan error)
	go func() { done <- r.supervise(t.Context()) }()
	for r.is(running) {
		time.Sleep(time.Millisecond)
	}
	if got := r.Why().State; got != "stopping" {
		t.Errorf("state %s, want stopping", got)
	}
	if h, err := r.Hold("because", time.Hour); err == nil {
		t.Errorf("held: %+v", h)
	}
	<-h.did
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestTold: told to end while the action runs is told to end.
func TestTold(t *testing.T) {
	r, log := newRunner(new(fake), policy.Config{Idle: time.Millisecond})
	r.action, r.options.OnIdle = waiter{}, "a waiter"
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.supervise(ctx) }()
	for r.is(running) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil || !strings.HasSuffix(log.String(), "stopping: told to") {
		t.Errorf("%v; the log:\n%s", err, log)
	}
}

// waiter is a target that takes as long as it may.
type waiter struct{}

func (waiter) Start(context.Context) error { return nil }
func (waiter) String() string              { return "waiter" }
func (waiter) Stop(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// asked is a watcher that does something while it is asked where it watches.
type asked struct {
	fake
	where func()
}

func (a *asked) Where() string {
	a.where()
	return ""
}

// TestWhyDuringEvents: who asks why doesn't keep events from being told of, or a watcher
// that holds a mutex for both would wait for ever.
func TestWhyDuringEvents(t *testing.T) {
	var w asked
	r, _ := newRunner(&w, policy.Config{Idle: time.Hour})
	w.where = func() {
		told := make(chan struct{})
		go func() {
			r.event(opened(1, time.Now()))
			close(told)
		}()
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Error("the event is not taken")
		}
	}
	if got := r.Why().State; got != "busy" {
		t.Errorf("state %s, want busy", got)
	}
}

// TestProgress: what the lines say is when the service will be stopped.
func TestProgress(t *testing.T) {
	var log lines
	var p progress
	since := time.Now().Add(-11 * time.Second)
	next := p.next(policy.Decision{Since: since, StopAt: since.Add(time.Minute), Next: since.Add(time.Minute)}, func(format string, args ...any) { log.add(format) })
	if log.String() == "" || !next.Equal(since.Add(15*time.Second)) {
		t.Errorf("next after %v: %s", next.Sub(since), &log)
	}
	if next := p.next(policy.Decision{Busy: true}, nil); !next.IsZero() {
		t.Errorf("busy, but next at %v", next)
	}
}
