package forward

import (
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// TestReloadName: a listener that has another name now has it in the log, and connections
// from before keep the one under which they came.
func TestReloadName(t *testing.T) {
	s := serve(t, echo)
	r := start(t, configure(s.addr()))
	before := r.dial()
	send(t, before, "x")
	expect(t, before, "x")
	next := configure(s.addr())
	next.Listeners[0].Name = "renamed"
	if err := r.Reload(next); err != nil {
		t.Fatal(err)
	}
	after := r.dial()
	send(t, after, "x")
	expect(t, after, "x")
	for i, name := range []string{"in", "renamed"} {
		if got := r.Status(-1).Connections[i].Listener; got != name {
			t.Errorf("the status has listener %q for connection %d, want %q", got, i+1, name)
		}
	}
	after.Close()
	r.lines(1)
	if log := r.log.String(); !strings.Contains(log, `"listener":"renamed"`) {
		t.Errorf("got log %s", log)
	}
}

// TestReloadTellsWhatStays: keys that need another process are told.
func TestReloadTellsWhatStays(t *testing.T) {
	cfg := configure("127.0.0.1:1")
	r := start(t, cfg)
	if err := r.Reload(configure("127.0.0.1:1")); err != nil {
		t.Fatal(err)
	}
	if got := r.notices.String(); got != "" {
		t.Errorf("got notices %q", got)
	}
	next := configure("127.0.0.1:1")
	next.Persist = false
	next.Limits.ReserveFiles = 7
	if err := r.Reload(next); err != nil {
		t.Fatal(err)
	}
	want := "persist stays true and limits.reserve_files stays 64 until the forwarder is started again or upgraded\n"
	if got := r.notices.String(); got != want {
		t.Errorf("got notices %q, want %q", got, want)
	}
}

// spliced is an engine whose connections the kernel moves by itself, from the beginning
// or not at all yet.
type spliced struct{ notYet bool }

func (spliced) Name() string { return packetEngine }
func (spliced) Close() error { return nil }
func (e spliced) Forward(p *engine.Pair) engine.End {
	aborted := make(chan struct{})
	p.SetState(packetEngine, "")
	if !e.notYet {
		p.SetOutlives()
	}
	p.OnAbort(func() { close(aborted) })
	<-aborted
	return engine.End{Cause: p.Aborted()}
}

// TestReloadPersist: what becomes of spliced connections at the end was settled when the
// engine was made.
func TestReloadPersist(t *testing.T) {
	s := serve(t, nil)
	cfg := configure(s.addr())
	r := start(t, cfg)
	r.engines.made = append(r.engines.made, made{name: packetEngine, engine: spliced{}})
	next := configure(s.addr())
	next.Listeners[0].Engine = packetEngine
	next.Persist = false
	if err := r.Reload(next); err != nil {
		t.Fatal(err)
	}
	r.dial()
	until(t, "it is spliced", func() bool { return r.Status(0).Moving[packetEngine] == 1 })
	r.Drain(patience, false)
	if l := r.ended(); l.Close != string(engine.Shutdown) {
		t.Errorf("got log line %+v", l)
	}
}

// TestDrainWaits: a connection that its engine has only just got is not one that goes on
// without us.
func TestDrainWaits(t *testing.T) {
	s := serve(t, nil)
	cfg := configure(s.addr())
	r := start(t, cfg)
	r.engines.made = append(r.engines.made, made{name: packetEngine, engine: spliced{notYet: true}})
	next := configure(s.addr())
	next.Listeners[0].Engine = packetEngine
	if err := r.Reload(next); err != nil {
		t.Fatal(err)
	}
	r.dial()
	until(t, "the engine has it", func() bool { return r.Status(0).Moving[packetEngine] == 1 })
	const short = 50 * time.Millisecond
	began := time.Now()
	r.Drain(short, false)
	if took := time.Since(began); took < short {
		t.Errorf("drained after %v", took)
	}
	if n := r.Status(0).Open; n != 1 {
		t.Errorf("%d connections are open, want 1", n)
	}
}

// TestDrainWithoutLimit: connections may go on for as long as they like.
func TestDrainWithoutLimit(t *testing.T) {
	s := serve(t, echo)
	r := start(t, configure(s.addr()))
	c := r.dial()
	send(t, c, "x")
	expect(t, c, "x")
	drained := make(chan struct{})
	go func() {
		r.Drain(-1, false)
		close(drained)
	}()
	until(t, "it drains", func() bool { return r.Status(0).Draining })
	send(t, c, "y")
	expect(t, c, "y")
	select {
	case <-drained:
		t.Error("it doesn't wait")
	default:
	}
	c.Close()
	select {
	case <-drained:
	case <-time.After(patience):
		t.Error("it waits for nobody")
	}
}
