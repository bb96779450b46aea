package wake

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waggle-bpf/waggle/wake/control"
)

// Starter starts a target.
type Starter interface {
	// Start starts the target, unless it runs already. It returns when that is done,
	// as far as anybody can tell who does not talk to the target: it need not be
	// ready. The context bounds Start, not the life of what it has started.
	Start(ctx context.Context) error
}

// Stopper stops a target.
type Stopper interface {
	// Stop stops the target, if it runs, and returns when it has stopped.
	Stop(ctx context.Context) error
}

// Process is a Starter that can tell when what it has started ends.
type Process interface {
	Starter
	// Wait returns when what Start has started has ended: nil if it says that all
	// is well, such as a command that has started something else, an error if not.
	// It also returns when the context ends.
	Wait(ctx context.Context) error
}

// Repeater is a Starter that nobody tells whether the target has heard it.
type Repeater interface {
	Starter
	// Repeat is how often Start is called again until the target is ready.
	Repeat() time.Duration
}

// Options are what a Waker is made of.
type Options struct {
	Start Starter
	Stop  Stopper // nil if the target can't be stopped; then it is never idle
	Probe Probe

	// Timeout is how long it may take from the start until the target is ready,
	// StopTimeout how long stopping it may.
	Timeout, StopTimeout time.Duration
	// Vanish is how long a target may still answer when Stop has returned: for a Stop
	// that only asks it to end, such as a command that sends a signal.
	Vanish time.Duration
	// Idle is after how long without clients the target is stopped, 0 for never.
	Idle time.Duration
	// Held is how many clients can wait at a time.
	Held int
	// CleanUp stops a target that did not get ready in time, so that the next start
	// finds nothing left of it.
	CleanUp bool
	// End stops the target when the Waker ends.
	End bool
	// Harmless says that Start does nothing if the target runs, whoever has started
	// it. Otherwise the target is looked for before it is started.
	Harmless bool
	// About is what reports say of the target.
	About control.Target
	// Control is the path of the socket for reports, the usual one if it is empty.
	Control string

	// Found is called when the target was found ready, before clients are let through to
	// where it is. It may be nil.
	Found func(ctx context.Context)
	// Notice is told, in a line, what an operator should know.
	Notice func(format string, args ...any)
}

// Waker starts and stops a target, as its clients need it. It is the gate of a
// forwarder.
type Waker struct {
	options Options
	machine machine // run's alone
	tally   tally   // run's, too
	began   time.Time
	events  chan event
	asks    chan chan *control.Report
	over    chan struct{} // closed when nothing will happen any more
	cancel  context.CancelFunc

	ctx     context.Context // of processes that are waited for
	end     context.CancelFunc
	unwatch context.CancelFunc // of the last one, which is the tasks' alone
	work    sync.WaitGroup

	state   atomic.Int32
	held    atomic.Int32
	failed  error        // of the last stop; valid when the Waker is done
	retryAt atomic.Int64 // when the target may be tried again, in Unix time; for who is turned away
	teller  teller
}

// New returns a Waker that does nothing yet: clients that come wait for Begin.
func New(o Options) *Waker {
	notice := o.Notice
	o.Notice = func(format string, args ...any) { notice("%s", oneLine(fmt.Sprintf(format, args...))) }
	if o.Found == nil {
		o.Found = func(context.Context) {}
	}
	w := &Waker{
		options: o,
		machine: machine{policy: policy{
			held:     o.Held,
			patience: o.Timeout + o.StopTimeout,
			idle:     o.Idle,
			cleanUp:  o.CleanUp,
			keep:     !o.End,
			harmless: o.Harmless,
		}},
		tally:  newTally(),
		began:  time.Now(),
		events: make(chan event),
		asks:   make(chan chan *control.Report),
		over:   make(chan struct{}),
		cancel: func() {},
		teller: teller{notice: o.Notice},
	}
	if o.Stop == nil {
		p := &w.machine.policy
		p.idle, p.cleanUp, p.keep = 0, false, true
	}
	w.state.Store(int32(Starting)) // it will be looked for first
	w.ctx, w.end = context.WithCancel(context.Background())
	w.unwatch = func() {}
	return w
}

// Begin looks whether the target is there already, and lets clients come.
func (w *Waker) Begin() { go w.run() }

// abandon turns away all who come, instead of Begin.
func (w *Waker) abandon() {
	w.end()
	close(w.over)
}

// Quit refuses those who wait and those who come. When the others have left, the target
// is stopped, if that is wanted, and Done is closed. Begin must have been called.
func (w *Waker) Quit() { w.tell(event{kind: quitAsked}) }

// Done is closed when nothing will happen any more.
func (w *Waker) Done() <-chan struct{} { return w.over }

// Err returns why the target could not be stopped in the end, after Done. One that was
// not to be stopped then is no error, whatever came of it before.
func (w *Waker) Err() error {
	if !w.machine.swept {
		return nil
	}
	return w.failed
}

// State returns what the target does now.
func (w *Waker) State() State { return State(w.state.Load()) }

// Held returns how many clients wait now.
func (w *Waker) Held() int { return int(w.held.Load()) }

// tell tells the machine what has happened. False means that it is over.
func (w *Waker) tell(e event) bool {
	select {
	case w.events <- e:
		return true
	case <-w.over:
		return false
	}
}

// run is the only one who asks the machine.
func (w *Waker) run() {
	defer close(w.over)
	defer w.work.Wait()
	defer w.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for e := (event{kind: begun}); ; {
		w.step(e)
		if w.machine.over {
			return
		}
		if at := w.machine.next(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(at))
		}
		e = w.next(timer.C)
	}
}

// next waits for something to happen, and answers those who ask meanwhile.
func (w *Waker) next(due <-chan time.Time) event {
	for {
		select {
		case e := <-w.events:
			return e
		case <-due:
			return event{kind: timePassed}
		case answer := <-w.asks:
			answer <- w.report()
		}
	}
}

// step takes one event and carries out what it leads to.
func (w *Waker) step(e event) {
	m := &w.machine
	state, place := m.state, outside
	if e.client != nil {
		place = e.client.place
	}
	effects := m.step(time.Now(), e)
	w.state.Store(int32(m.state))
	w.held.Store(int32(len(m.queue)))
	w.retryAt.Store(m.retryAt.UnixNano())
	w.tally.count(e, state, place, m, effects)
	w.teller.tell(e, state, m, effects)
	for _, f := range effects {
		w.carryOut(f)
	}
}

func (w *Waker) carryOut(f effect) {
	switch f.kind {
	case holdClient, passClient, refuseClient:
		f.client.verdicts <- f // it has room for what a client can't have read yet
	case lookForTarget:
		w.spawn(targetLooked, lookTimeout, w.look)
	case startTarget:
		w.spawn(targetStarted, w.options.Timeout, w.start)
	case stopTarget:
		w.spawn(targetStopped, w.options.StopTimeout, w.stop)
	case cancelTask:
		w.cancel()
	}
}

// spawn does what takes time, and tells the machine how it went.
func (w *Waker) spawn(kind eventKind, limit time.Duration, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	w.cancel = cancel
	go func() {
		defer cancel()
		w.tell(event{kind: kind, err: do(ctx)})
	}()
}
