package wake

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
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

	// Notice is told, in a line, what an operator should know.
	Notice func(format string, args ...any)
}

// Waker starts and stops a target, as its clients need it. It is the gate of a
// forwarder.
type Waker struct {
	options Options
	machine machine // run's alone
	events  chan event
	over    chan struct{} // closed when nothing will happen any more
	cancel  context.CancelFunc

	ctx  context.Context // of processes that are waited for
	end  context.CancelFunc
	work sync.WaitGroup

	state   atomic.Int32
	held    atomic.Int32
	failed  error        // of the last stop; valid when the Waker is done
	retryAt atomic.Int64 // when the target may be tried again, in Unix time; for who is turned away
	teller  teller
}

// New returns a Waker that does nothing yet: clients that come wait for Begin.
func New(o Options) *Waker {
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
		events: make(chan event),
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
	return w
}

// Begin looks whether the target is there already, and lets clients come.
func (w *Waker) Begin() { go w.run() }

// Quit refuses those who wait and those who come. When the others have left, the target
// is stopped, if that is wanted, and Done is closed. Begin must have been called.
func (w *Waker) Quit() { w.tell(event{kind: quitAsked}) }

// Done is closed when nothing will happen any more.
func (w *Waker) Done() <-chan struct{} { return w.over }

// Err returns why the target could not be stopped in the end, after Done.
func (w *Waker) Err() error {
	if w.machine.policy.keep {
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
		select {
		case e = <-w.events:
		case <-timer.C:
			e = event{kind: timePassed}
		}
	}
}

// step takes one event and carries out what it leads to.
func (w *Waker) step(e event) {
	m := &w.machine
	before := m.state
	effects := m.step(time.Now(), e)
	w.state.Store(int32(m.state))
	w.held.Store(int32(len(m.queue)))
	w.retryAt.Store(m.retryAt.UnixNano())
	w.teller.tell(e, before, m, effects)
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

func (w *Waker) look(ctx context.Context) error { return w.options.Probe.Look(ctx) }

// stop stops the target, and makes sure that it has stopped.
func (w *Waker) stop(ctx context.Context) error {
	began := time.Now()
	err := w.options.Stop.Stop(ctx)
	if err == nil {
		if err = w.stillThere(ctx); err == nil {
			w.options.Notice("target stopped in %s", short(time.Since(began)))
		}
	}
	w.failed = err
	return err
}

// stillThere is the error for a target that goes on to answer although it was stopped.
func (w *Waker) stillThere(ctx context.Context) error {
	for began := time.Now(); ; {
		asked := time.Now()
		if !w.answers(ctx) {
			return nil
		}
		since, took := time.Since(began), time.Since(asked)
		if since >= w.options.Vanish {
			return errStillThere
		}
		select {
		case <-time.After(interval(since, took)):
		case <-ctx.Done():
			return errStillThere
		}
	}
}

func (w *Waker) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, stopLook)
	defer cancel()
	return w.options.Probe.Look(ctx) == nil
}

var errStillThere = errors.New("stop target: it still answers; what was started in another way has to be stopped in another way, with --stop")

// stopLook is how long it may take to see that a target has stopped. Clients who come
// meanwhile wait for it.
const stopLook = 250 * time.Millisecond

// start starts the target and waits until it is ready.
func (w *Waker) start(ctx context.Context) error {
	began := time.Now()
	if err := w.options.Start.Start(ctx); err != nil {
		return err
	}
	up := time.Now()
	w.options.Notice("target started in %s", short(up.Sub(began)))
	if err := w.await(ctx, began, w.watch()); err != nil {
		return err
	}
	w.options.Notice("reachable in %s", short(time.Since(up)))
	return nil
}

// watch waits for the end of what was started, and tells of it: the machine, and
// whoever reads the channel if it was a bad one. Without a way to do so it never does.
func (w *Waker) watch() <-chan error {
	p, ok := w.options.Start.(Process)
	if !ok {
		return nil
	}
	ended := make(chan error, 1)
	w.work.Go(func() {
		err := p.Wait(w.ctx)
		if w.ctx.Err() != nil {
			return
		}
		if err != nil {
			ended <- err
		}
		select {
		case w.events <- event{kind: targetExited, err: err}:
		case <-w.ctx.Done():
		}
	})
	return ended
}

// await returns when the target is ready.
func (w *Waker) await(ctx context.Context, began time.Time, ended <-chan error) error {
	deadline, _ := ctx.Deadline()
	patience, started := firstNotYet, began
	timer := time.NewTimer(0)
	defer timer.Stop()
	last := errors.New("there was no time to ask") // of the probe
	for {
		select {
		case <-timer.C:
		case err := <-ended:
			return fmt.Errorf("wait for target: its process has ended after %s: %w", short(time.Since(began)), err)
		case <-ctx.Done():
			if ctx.Err() != context.DeadlineExceeded {
				return fmt.Errorf("wait for target: %w", ctx.Err())
			}
			return fmt.Errorf("wait for target: not ready after %s: %w; --timeout gives it more time", short(time.Since(began)), last)
		}
		if err := w.repeat(ctx, &started); err != nil {
			return err
		}
		asked := time.Now()
		err := w.options.Probe.Check(ctx, asked.Sub(began))
		if err == nil {
			return nil
		}
		took := time.Since(began)
		if time.Now().Before(deadline) {
			last = err // and not that there is no time left
		}
		if took >= patience {
			w.options.Notice("not ready yet (%s since start): %v", short(took), err)
			patience *= 2
		}
		timer.Reset(interval(took, time.Since(asked)))
	}
}

// repeat starts the target again, if that may help.
func (w *Waker) repeat(ctx context.Context, last *time.Time) error {
	r, ok := w.options.Start.(Repeater)
	if !ok || time.Since(*last) < r.Repeat() {
		return nil
	}
	*last = time.Now()
	return r.Start(ctx)
}

// firstNotYet is when an operator is told first that a target is not ready yet; then
// it is after twice the time.
const firstNotYet = 5 * time.Second

// interval is how long to wait until a target is tried again that was started so long
// ago: a hundredth of that, so that waiting adds little to any start and costs little in
// a long one; and twice as long as the last try took, which may have cost something.
func interval(since, try time.Duration) time.Duration {
	return min(max(since/100, 2*try, time.Millisecond), 250*time.Millisecond)
}

// short rounds a duration to what people want to read: 3.41ms, 379ms, 11.07s.
func short(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
