package sockmap

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/copy"
	"github.com/waggle-bpf/waggle/forward/engine/pump"
	"github.com/waggle-bpf/waggle/forward/engine/sockmap/kern"
	"github.com/waggle-bpf/waggle/load"
)

// Name is the engine's name.
const Name = "sockmap"

// Options are the engine's bounds.
type Options struct {
	// MaxPairs is how many pairs there may be at a time, half a KiB of kernel
	// memory each; kern.Pairs if it is 0.
	MaxPairs int
}

// Engine lets the kernel move the bytes of pairs.
type Engine struct {
	kernel  *Kern
	slots   *slots
	watcher *watcher
	buffers *copy.Buffers

	enrolled, redirected, copied atomic.Uint64
}

// New loads the program and tries it out. An error that wraps *engine.Refusal says
// that the engine can't run on this machine.
func New(o Options) (*Engine, error) {
	e := &Engine{buffers: copy.NewBuffers(copy.ChunkSize)}
	if err := e.open(o); err != nil {
		return nil, fmt.Errorf("start engine %s: %w", Name, errors.Join(err, e.Close()))
	}
	return e, nil
}

func (e *Engine) open(o Options) (err error) {
	if o.MaxPairs == 0 {
		o.MaxPairs = kern.Pairs
	}
	if err := checkKernel(); err != nil {
		return err
	}
	if e.kernel, err = loadKernel(o.MaxPairs); err != nil {
		return engine.Refuse("program not loaded", err)
	}
	if e.slots, err = openSlots(e.kernel.Lanes, o.MaxPairs); err != nil {
		return err
	}
	if e.watcher, err = newWatcher(o.MaxPairs); err != nil {
		return err
	}
	if err := e.test(); err != nil {
		return engine.Refuse("self-test failed", err)
	}
	return nil
}

func loadKernel(pairs int) (*Kern, error) {
	o, err := OpenKern()
	if err != nil {
		return nil, err
	}
	for _, m := range o.Spec().Maps {
		if m.MaxEntries == 2*kern.Pairs {
			m.MaxEntries = uint32(2 * pairs)
		}
	}
	k, err := o.Load(load.Options{})
	if err != nil {
		return nil, err
	}
	if _, err := k.AttachVerdict(load.Target{}); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

// Name returns the engine's name.
func (*Engine) Name() string { return Name }

// Forward puts the pair into the socket map and moves what the kernel leaves.
func (e *Engine) Forward(p *engine.Pair) engine.End {
	pr, err := e.enrol(p)
	if err != nil {
		return engine.End{Err: err}
	}
	defer e.dismiss(pr)
	return pump.Run(p, pump.Options{}, pr.movers)
}

// Stats tells what the engine has done.
type Stats struct {
	Enrolled   uint64 `json:"enrolled"`   // pairs
	Active     int    `json:"active"`     // pairs enrolled now
	Redirected uint64 `json:"redirected"` // bytes moved by the kernel, of pairs that have ended
	Copied     uint64 `json:"copied"`     // bytes moved by user space, of pairs that have ended
}

// Stats returns the engine's counters.
func (e *Engine) Stats() Stats {
	return Stats{
		Enrolled: e.enrolled.Load(), Active: e.slots.taken(),
		Redirected: e.redirected.Load(), Copied: e.copied.Load(),
	}
}

// Close detaches the program.
func (e *Engine) Close() error {
	var errs []error
	if e.watcher != nil {
		errs = append(errs, e.watcher.close())
	}
	if e.slots != nil {
		errs = append(errs, e.slots.close())
	}
	if e.kernel != nil {
		errs = append(errs, e.kernel.Close())
	}
	return errors.Join(errs...)
}
