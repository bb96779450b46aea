package forward

import (
	"slices"
	"testing"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// picky is an engine that takes nothing.
type picky struct{}

func (picky) Name() string { return "picky" }
func (picky) Forward(*engine.Pair) engine.End {
	return engine.End{Err: engine.Refuse("not today", nil)}
}
func (picky) Close() error { return nil }

// TestRefusedPair: what the engine that was asked for doesn't take is forwarded all the
// same.
func TestRefusedPair(t *testing.T) {
	var refused []string
	e := engines{
		options: engineOptions{pipes: 1, refused: func(engine, reason string) { refused = append(refused, engine+": "+reason) }},
		made:    []made{{name: "picky", engine: picky{}}},
	}
	defer func() {
		if err := e.close(); err != nil {
			t.Error(err)
		}
	}()
	g, err := e.get("picky")
	if err != nil {
		t.Fatal(err)
	}
	client, near := stream.Connect(t)
	far, server := stream.Connect(t)
	p := engine.NewPair(near, far)
	ended := make(chan engine.End)
	go func() { ended <- g.Forward(p) }()
	script := stream.Script{Seed: 1, Client: stream.Side{Size: 1000}, Server: stream.Side{Size: 1000, EndAt: stream.AfterEnd}}
	if err := script.Run(client, server, patience); err != nil {
		t.Error(err)
	}
	if end := <-ended; end.Cause != engine.ClientClosed || end.Err != nil {
		t.Errorf("got end %+v", end)
	}
	if state := p.State(); state.Engine != takesAny || state.Why != "picky: not today" {
		t.Errorf("got state %+v", state)
	}
	if !slices.Equal(refused, []string{"picky: not today"}) {
		t.Errorf("got refusals %q", refused)
	}
}
