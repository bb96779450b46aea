package forward

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/auto"
	"github.com/waggle-bpf/waggle/forward/engine/copy"
)

// packetEngine is the engine whose connections need nothing of us any more.
const packetEngine = "packet"

// engines makes each engine when it is needed first, and keeps it.
type engines struct {
	options engineOptions

	mu   sync.Mutex
	made []made
}

// engineOptions is what engines are made with.
type engineOptions struct {
	pipes   int  // see splice.Options.MaxPipes
	persist bool // spliced connections outlive us
	refused func(engine, reason string)
	// switched is told how long it took until the kernel moved a connection.
	switched func(time.Duration)
}

// made is an engine, or why there is none.
type made struct {
	name   string
	engine engine.Engine
	err    error
}

// get returns the engine of a name. The error says why it can't run here. What it does
// not take, because of something about that pair, goes to one that takes any.
func (e *engines) get(name string) (engine.Engine, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.make(name)
	if m.err != nil || name == auto.Name || name == takesAny || name == copy.Name {
		return m.engine, m.err
	}
	last := e.make(takesAny)
	return some(auto.New(e.options.refused,
		auto.Candidate{Name: name, Engine: m.engine}, auto.Candidate{Name: takesAny, Engine: last.engine, Err: last.err}))
}

func (e *engines) make(name string) made {
	if i := slices.IndexFunc(e.made, func(m made) bool { return m.name == name }); i >= 0 {
		return e.made[i]
	}
	m := made{name: name}
	switch maker := makers()[name]; {
	case name == auto.Name:
		m.engine, m.err = e.auto()
	case maker == nil:
		m.err = fmt.Errorf("start engine %s: %w", name, engine.Refuse("this system has none of that name", nil))
	default:
		m.engine, m.err = maker(e)
	}
	e.made = append(e.made, m)
	return m
}

// auto makes the engine that takes the best of those that work everywhere.
func (e *engines) auto() (engine.Engine, error) {
	var list []auto.Candidate
	for _, name := range byMerit {
		m := e.make(name)
		list = append(list, auto.Candidate{Name: name, Engine: m.engine, Err: m.err})
	}
	return some(auto.New(e.options.refused, list...))
}

// some makes an interface of an engine, and none of an error.
func some[E engine.Engine](e E, err error) (engine.Engine, error) {
	if err != nil {
		return nil, err
	}
	return e, nil
}

// each calls f for every engine that was asked for.
func (e *engines) each(f func(name string, g engine.Engine, err error)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.made {
		f(m.name, m.engine, m.err)
	}
}

// close closes the engines, those first that use others.
func (e *engines) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, m := range slices.Backward(e.made) {
		if m.engine != nil {
			errs = append(errs, m.engine.Close())
		}
	}
	e.made = nil
	return errors.Join(errs...)
}
