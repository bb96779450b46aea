package uring

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// Name is the engine's name.
const Name = "uring"

// Options are the engine's bounds.
type Options struct {
	// Rings is how many rings there are, with a thread each; as many as there are
	// processors, but not more than 8, if it is 0.
	Rings int
	// MaxPairs is how many pairs a ring serves at most; DefaultMaxPairs if it
	// is 0, or more than that.
	MaxPairs int
}

// DefaultMaxPairs leaves each direction a large buffer if all sinks are slow.
const DefaultMaxPairs = maxBuffers / 2

// Engine moves bytes with some rings.
type Engine struct {
	shards []*shard
	next   atomic.Uint32
}

// New makes the rings. An error that wraps *engine.Refusal says that the engine can't
// run on this machine, or may not.
func New(o Options) (*Engine, error) {
	if o.Rings == 0 {
		o.Rings = min(runtime.GOMAXPROCS(0), 8)
	}
	if o.MaxPairs == 0 || o.MaxPairs > DefaultMaxPairs {
		o.MaxPairs = DefaultMaxPairs
	}
	e := &Engine{}
	for range o.Rings {
		s, err := newShard(o.MaxPairs)
		if err != nil {
			return nil, fmt.Errorf("start engine %s: %w", Name, errors.Join(err, e.Close()))
		}
		e.shards = append(e.shards, s)
	}
	return e, nil
}

// Name returns the engine's name.
func (*Engine) Name() string { return Name }

// Forward lets one of the rings move the pair's bytes.
func (e *Engine) Forward(c *engine.Pair) engine.End {
	s := e.shards[e.next.Add(1)%uint32(len(e.shards))]
	p, err := newPair(c)
	if err != nil {
		return engine.End{Cause: engine.Failed, Err: err}
	}
	if !s.admit() {
		return engine.End{Err: engine.Refuse("ring full", nil)}
	}
	defer s.leave()
	c.SetState(Name, "")
	s.tell(func() { s.add(p) })
	c.OnAbort(func() { s.tell(func() { s.stop(p) }) })
	end := <-p.done
	c.OnAbort(func() {})
	return end
}

// Close ends the rings and their threads.
func (e *Engine) Close() error {
	for _, s := range e.shards {
		s.close()
	}
	return nil
}
