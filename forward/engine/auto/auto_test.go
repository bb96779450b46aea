package auto

import (
	"errors"
	"slices"
	"testing"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// fake is an engine that says what it is told to.
type fake struct {
	name  string
	end   engine.End
	calls int
}

func (f *fake) Name() string { return f.name }
func (f *fake) Forward(*engine.Pair) engine.End {
	f.calls++
	return f.end
}
func (f *fake) Close() error { return nil }

func (f *fake) candidate() Candidate { return Candidate{Name: f.name, Engine: f} }

var (
	took    = engine.End{Cause: engine.ClientClosed}
	refuses = engine.End{Err: engine.Refuse("no timestamps", errors.New("peer 10.0.0.1"))}
	absent  = Candidate{Name: "uring", Err: engine.Refuse("no io_uring", nil)}
)

func TestForward(t *testing.T) {
	for _, test := range []struct {
		name       string
		candidates []Candidate
		state      engine.State
		end        engine.End
		refusals   []string
	}{
		{"the first takes it", []Candidate{(&fake{name: "a", end: took}).candidate(), (&fake{name: "b"}).candidate()},
			engine.State{Engine: "a"}, took, nil},
		{"the first refuses", []Candidate{(&fake{name: "a", end: refuses}).candidate(), (&fake{name: "b", end: took}).candidate()},
			engine.State{Engine: "b", Why: "a: no timestamps"}, took, []string{"a: no timestamps"}},
		{"the first can't run", []Candidate{absent, (&fake{name: "b", end: took}).candidate()},
			engine.State{Engine: "b", Why: "uring: no io_uring"}, took, nil},
		{"both", []Candidate{absent, (&fake{name: "a", end: refuses}).candidate(), (&fake{name: "b", end: took}).candidate()},
			engine.State{Engine: "b", Why: "uring: no io_uring; a: no timestamps"}, took, []string{"a: no timestamps"}},
		{"all refuse", []Candidate{(&fake{name: "a", end: refuses}).candidate()},
			engine.State{Engine: "a"}, refuses, []string{"a: no timestamps"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var refusals []string
			e, err := New(func(engine, reason string) { refusals = append(refusals, engine+": "+reason) }, test.candidates...)
			if err != nil {
				t.Fatal(err)
			}
			p := engine.NewPair(nil, nil)
			if end := e.Forward(p); end != test.end {
				t.Errorf("got end %+v, want %+v", end, test.end)
			}
			if p.State() != test.state {
				t.Errorf("got state %+v, want %+v", p.State(), test.state)
			}
			if !slices.Equal(refusals, test.refusals) {
				t.Errorf("got refusals %q, want %q", refusals, test.refusals)
			}
		})
	}
}

// TestLaterOnesAreNotAsked: what an engine has begun, another must not begin again.
func TestLaterOnesAreNotAsked(t *testing.T) {
	first := &fake{name: "a", end: engine.End{Cause: engine.Failed, Err: errors.New("broken")}}
	second := &fake{name: "b"}
	e, err := New(nil, first.candidate(), second.candidate())
	if err != nil {
		t.Fatal(err)
	}
	e.Forward(engine.NewPair(nil, nil))
	if second.calls != 0 {
		t.Error("the second engine was asked after the first had begun")
	}
}

func TestNobodyCan(t *testing.T) {
	_, err := New(nil, absent)
	if _, ok := (engine.End{Err: err}).Refused(); !ok {
		t.Errorf("got %v, want the refusal", err)
	}
}
