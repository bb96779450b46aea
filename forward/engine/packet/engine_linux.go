package packet

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
	"github.com/waggle-bpf/waggle/forward/engine/pump"
	"github.com/waggle-bpf/waggle/load"
)

// Name is the engine's name.
const Name = "packet"

// Options are what the engine needs to know.
type Options struct {
	// Interfaces are those whose packets the programs may see, beside those of
	// loopback, by which local clients and backends are reached. If it is empty,
	// they are attached to each interface by which a connection comes.
	Interfaces []string

	// Dir is where programs, maps and links are pinned: a directory of a BPF
	// file system, below which each network namespace gets one. "" means
	// DefaultDir.
	Dir string
	// NoPersist pins nothing: spliced connections are reset when the forwarder
	// ends, and break when it is killed.
	NoPersist bool

	// Linger is how long a pair's entries stay when it has ended, for what the
	// ends may have to say again; DefaultLinger if it is 0.
	Linger time.Duration

	// Switched, if not nil, is told how long after its first byte was forwarded a
	// pair was spliced.
	Switched func(time.Duration)

	// Stayed, if not nil, is told of each pair that was taken and stays with the
	// mover, and why.
	Stayed func(reason string)

	// Mover moves the bytes until a pair is spliced. The engine closes it.
	Mover Mover
}

// Mover is an engine that another one can watch and take over from.
type Mover interface {
	engine.Engine
	Pump(*engine.Pair, pump.Options) engine.End
}

// The defaults.
const (
	DefaultDir    = "/sys/fs/bpf/waggle/forward"
	DefaultLinger = 2 * time.Second
)

// Engine splices pairs.
type Engine struct {
	opts      Options
	mover     Mover
	kernel    *kernel
	slots     *slots
	devices   *devices
	addresses addresses
	localNet  localNet
	counters  counters

	mu      sync.Mutex
	pairs   map[uint32]*pair       // those linked, by slot
	orphans []*pair                // those that were taken over and nobody has asked for
	claimed map[*engine.Pair]*pair // those that Adopt has returned, until Forward is called
	leaving []*pair                // those that linger, the first one to go first

	released []*reservation // of pairs that the next process is to adopt

	events  *load.Stream[uint32]
	deaf    atomic.Bool   // the programs tell somebody else
	others  atomic.Bool   // another process has pairs, which may have to be adopted
	lingers chan struct{} // the first pair has begun to linger
	stop    chan struct{}
	work    sync.WaitGroup
}

// New loads and attaches the programs, or takes over those that are there. An error
// that wraps *engine.Refusal says that the engine can't run on this machine.
func New(o Options) (*Engine, error) {
	if o.Linger == 0 {
		o.Linger = DefaultLinger
	}
	if o.Dir == "" {
		o.Dir = DefaultDir
	}
	k, err := openKernel(o)
	if err != nil {
		return nil, fmt.Errorf("start engine packet: %w", err)
	}
	e := &Engine{
		opts: o, mover: o.Mover, kernel: k, slots: k.slots, devices: k.devices,
		addresses: addresses{ns: k.ns},
		localNet:  localNet{ns: k.ns},
		pairs:     map[uint32]*pair{},
		claimed:   map[*engine.Pair]*pair{},
		lingers:   make(chan struct{}, 1), stop: make(chan struct{}),
	}
	if e.events, err = k.Events(load.StreamOptions{FlushInterval: time.Hour}); err != nil {
		return nil, errors.Join(fmt.Errorf("start engine packet: %w", err), k.close())
	}
	e.counters.init()
	e.adopt()
	e.reserve()
	e.work.Go(e.listen)
	e.work.Go(e.keepHouse)
	return e, nil
}

// Name returns the engine's name.
func (*Engine) Name() string { return Name }

// Forward moves the pair's bytes, and steps aside when it can.
func (e *Engine) Forward(p *engine.Pair) engine.End {
	if p.Client == nil {
		return e.follow(p)
	}
	if r := e.place(p); r != nil {
		e.counters.stay(r.Reason)
		return engine.End{Err: r}
	}
	w := &watch{engine: e, conn: p}
	p.SetState(e.mover.Name(), "not linked yet")
	end := e.mover.Pump(p, pump.Options{OnFill: w.onFill})
	pr := w.stop()
	if pr == nil {
		return end
	}
	if end.Err == nil || !errors.Is(end.Err, pump.ErrWoken) {
		if !pr.spliced() {
			e.unlink(pr)
			return end
		}
	}
	pr.remember(true)
	return pr.wait()
}

// Close ends the engine. Spliced connections go on without it, unless nothing is
// pinned; if there are none, nothing stays behind.
func (e *Engine) Close() error {
	close(e.stop)
	err := e.events.Close()
	e.work.Wait()
	if e.kernel.pinned { // ports that were left to this process, too, may be left only for so long
		e.adopt()
		e.reserve()
	}
	e.mu.Lock()
	for _, p := range e.leaving {
		e.remove(p)
	}
	e.leaving = nil
	for _, p := range e.pairs { // left to others
		p.reserved.leave()
	}
	for _, r := range e.released {
		r.leave()
	}
	e.mu.Unlock()
	err = errors.Join(err, e.localNet.close(!e.kernel.idle()))
	return errors.Join(err, e.kernel.close(), e.mover.Close())
}

// stay counts a pair that was taken and stays with the mover.
func (e *Engine) stay(reason string) {
	e.counters.stay(reason)
	if told := e.opts.Stayed; told != nil {
		told(reason)
	}
}

// counters are what Stats tells.
type counters struct {
	linked, switched, finished, reset, adopted atomic.Uint64

	mu     sync.Mutex
	stayed map[string]uint64
	took   time.Duration
}

func (c *counters) init() { c.stayed = map[string]uint64{} }

// stay counts a pair that stays with the mover.
func (c *counters) stay(reason string) {
	c.mu.Lock()
	c.stayed[reason]++
	c.mu.Unlock()
}

// Stats tells what the engine has done.
type Stats struct {
	Linked   uint64 `json:"linked"`   // pairs that the programs have watched
	Switched uint64 `json:"switched"` // pairs spliced
	Finished uint64 `json:"finished"` // of those, that both ends closed
	Reset    uint64 `json:"reset"`    // of those, that broke or were aborted
	Adopted  uint64 `json:"adopted"`  // pairs taken over from processes that ended
	Active   int    `json:"active"`   // pairs linked now
	// Stayed counts the pairs that could not be spliced, by reason.
	Stayed map[string]uint64 `json:"stayed"`
	// SwitchTime is how long after it was linked a pair was spliced, on average.
	SwitchTime time.Duration `json:"switch_time_ns"`
	// Packets are the programs' counts, of all processes together.
	Packets kern.Totals `json:"packets"`
}

// Stats returns the engine's counters.
func (e *Engine) Stats() (Stats, error) {
	c := &e.counters
	s := Stats{
		Linked: c.linked.Load(), Switched: c.switched.Load(), Finished: c.finished.Load(),
		Reset: c.reset.Load(), Adopted: c.adopted.Load(), Stayed: map[string]uint64{},
	}
	c.mu.Lock()
	for reason, n := range c.stayed {
		s.Stayed[reason] = n
	}
	if s.Switched > 0 {
		s.SwitchTime = c.took / time.Duration(s.Switched)
	}
	c.mu.Unlock()
	e.mu.Lock()
	s.Active = len(e.pairs)
	e.mu.Unlock()
	var err error
	s.Packets, err = e.kernel.totals()
	return s, err
}
