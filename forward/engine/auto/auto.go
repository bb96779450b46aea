// Package auto is the engine that leaves the work to the first of several that takes
// a pair.
package auto

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// Name is the engine's name.
const Name = "auto"

// Candidate is an engine that may take a pair.
type Candidate struct {
	Name   string
	Engine engine.Engine // nil if it can't run here
	Err    error         // why it can't
}

// Engine asks its candidates in order.
type Engine struct {
	candidates []Candidate // those that can run
	absent     string      // why the others can't
	refused    func(engine, reason string)
}

// New returns an engine that asks candidates in the order given; at least one of
// them can run. Refused, if it is not nil, is told of every refusal. Closing the
// candidates is left to the caller.
func New(refused func(engine, reason string), candidates ...Candidate) (*Engine, error) {
	e := &Engine{refused: refused}
	var errs []error
	var absent []string
	for _, c := range candidates {
		if c.Engine == nil {
			errs = append(errs, c.Err)
			absent = append(absent, c.Name+": "+reason(c.Err))
			continue
		}
		e.candidates = append(e.candidates, c)
	}
	if len(e.candidates) == 0 {
		return nil, errors.Join(errs...)
	}
	e.absent = strings.Join(absent, "; ")
	return e, nil
}

// reason is the short form of why an engine can't run.
func reason(err error) string {
	var r *engine.Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return err.Error()
}

// Name returns the engine's name.
func (*Engine) Name() string { return Name }

// Forward moves the pair's bytes with the first candidate that takes it.
func (e *Engine) Forward(p *engine.Pair) engine.End {
	why := e.absent
	var end engine.End
	for _, c := range e.candidates {
		p.SetState(c.Name, why)
		end = c.Engine.Forward(p)
		r, refused := end.Refused()
		if !refused {
			return end
		}
		if e.refused != nil {
			e.refused(c.Name, r.Reason)
		}
		why = join(why, c.Name+": "+r.Reason)
	}
	return end
}

// Prepare lets the candidates set options, those last that are asked first.
func (e *Engine) Prepare(client *net.TCPConn, socket int, backend netip.AddrPort) error {
	for _, c := range slices.Backward(e.candidates) {
		if p, ok := c.Engine.(engine.Preparer); ok {
			if err := p.Prepare(client, socket, backend); err != nil {
				return err
			}
		}
	}
	return nil
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// Close has nothing of its own to give back.
func (*Engine) Close() error { return nil }
