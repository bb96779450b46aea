package idle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/idle/cgroup"
	"github.com/waggle-bpf/waggle/idle/control"
	"github.com/waggle-bpf/waggle/idle/hook"
	"github.com/waggle-bpf/waggle/idle/policy"
	"github.com/waggle-bpf/waggle/idle/process"
	"github.com/waggle-bpf/waggle/idle/watch"
	"github.com/waggle-bpf/waggle/target"
)

// Run runs the service until it has been idle for long enough and has stopped, which is
// no error, nor is that ctx has ended; a service that ends by itself gives an
// EndedError, unless its exit code is 0. Whichever way it ends, nothing is left
// running or attached.
func Run(ctx context.Context, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	// Whoever calls may have done the same. But after the first signal it may want
	// the second one to end this process, and there is work to be done by then.
	ctx, stop := signal.NotifyContext(ctx, ending...)
	defer stop()
	r := &runner{options: o, started: time.Now(), kick: make(chan struct{}, 1), signals: make(chan os.Signal, 8)}
	signal.Notify(r.signals, forwarded...)
	defer signal.Stop(r.signals)
	err := r.prepare(ctx)
	if err == nil {
		err = r.supervise(ctx)
	}
	err = errors.Join(err, r.close())
	r.garbage.giveBack()
	return err
}

// The signals that end the service, and those that it gets from us.
var (
	ending    = []os.Signal{unix.SIGTERM, unix.SIGINT}
	forwarded = []os.Signal{unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH}
)

// runner is a run.
type runner struct {
	options Options
	started time.Time
	group   *cgroup.Group // nil for none of our own
	place   place
	action  target.Target // nil for nothing but to end the service
	watcher watch.Watcher
	why     string // it is this one
	table   *process.Table
	service *process.Service // nil if it was not started here
	server  *control.Server  // nil for none

	garbage garbage

	kick    chan struct{} // something has happened
	signals chan os.Signal

	mu      sync.Mutex // of what follows; taken after the watcher's own
	machine *policy.Machine
	frozen  bool
}

func (r *runner) log(format string, args ...any) {
	if r.options.Log != nil {
		r.options.Log(fmt.Sprintf(format, args...))
	}
}

// prepare brings everything up, the service last: so no connection is missed, and what
// can't work is found before something runs.
func (r *runner) prepare(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		r.findPlace, r.chooseAction, r.openWatcher, r.openControl, r.startService,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// groupPrefix begins the names of the cgroups that are made for services; the number of
// the process that watches is behind it.
const groupPrefix = "waggle-idle-"

// findPlace finds the service's cgroup, or makes one for it. That there is none may be
// no problem.
func (r *runner) findPlace(context.Context) (err error) {
	if r.table, err = process.NewTable(r.options.Main); err != nil {
		return err
	}
	if len(r.options.Command) == 0 {
		r.place = find(&r.options)
		return nil
	}
	own, err := cgroup.Own()
	if err == nil {
		cgroup.Sweep(own, groupPrefix)
		r.group, err = cgroup.Make(own, fmt.Sprintf("%s%d", groupPrefix, os.Getpid()))
	}
	if err != nil {
		r.place.err = err
		return nil
	}
	r.place.dir = r.group.Dir
	return nil
}

func (r *runner) chooseAction(context.Context) (err error) {
	r.machine = policy.New(r.options.Policy, r.started)
	r.action, err = r.options.action(r.place.dir, func(e *target.Exec) {
		e.Begin, e.Output, e.Grace = r.table.Begin, r.options.Stderr, r.options.KillAfter
	})
	if errors.Is(err, errNoCgroup) && r.place.err != nil {
		err = fmt.Errorf("%w: %w", err, r.place.err)
	}
	return err
}

func (r *runner) openControl(context.Context) (err error) {
	path := r.options.Control
	if path == "" {
		path = control.DefaultPath()
	}
	r.server, err = control.Serve(path, r)
	if err != nil && r.options.Control == "" {
		r.log("%v; this one has none", err)
		return nil
	}
	return err
}

func (r *runner) openWatcher(context.Context) (err error) {
	r.watcher, r.why, err = openWatcher(&r.options, r.place)
	if err != nil {
		return err
	}
	if r.options.Main && r.watcher.Name() != "proxy" { // which has much else to do
		r.garbage.takeOver()
	}
	r.log("watching %s by %s (%s), %s", ports(r.options.Ports), r.watcher.Name(), r.watcher.Where(), r.why)
	return nil
}

func ports(list []uint16) string {
	switch len(list) {
	case 0:
		return "all ports"
	case 1:
		return fmt.Sprintf("port %d", list[0])
	}
	return "ports " + strings.Trim(fmt.Sprint(list), "[]")
}

// startService does what comes before the service, and starts it.
func (r *runner) startService(ctx context.Context) error {
	o := &r.options
	if len(o.Command) == 0 {
		return nil
	}
	env := os.Environ()
	if o.EnvFile != "" {
		more, err := hook.ReadEnv(o.EnvFile)
		if err != nil {
			return &InputError{err}
		}
		env = append(env, more...)
	}
	for _, l := range o.Links {
		if err := l.Make(); err != nil {
			return err
		}
	}
	run := process.Options{Command: o.Command, Env: env, Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr, Group: r.group}
	for _, command := range o.Run {
		if err := r.table.RunHook(ctx, command, run); err != nil {
			return fmt.Errorf("start hook %q: %w", command, err)
		}
	}
	service, err := r.table.StartService(run)
	if errors.Is(err, process.ErrCommand) {
		return &InputError{err}
	}
	if err != nil {
		return err
	}
	r.service = service
	r.log("started %s, process %d", r.name(), service.PID)
	return nil
}

func (r *runner) name() string { return filepath.Base(r.options.Command[0]) }

// close gives everything back.
func (r *runner) close() error {
	if r.server != nil {
		r.server.Close()
	}
	if r.service != nil {
		r.service.Kill()
	}
	var errs []error
	if r.watcher != nil {
		errs = append(errs, r.watcher.Close())
	}
	if r.group != nil {
		errs = append(errs, r.group.Remove())
	}
	return errors.Join(errs...)
}

// supervise follows what happens until it is over.
func (r *runner) supervise(ctx context.Context) error {
	watching, cancel := context.WithCancel(context.Background())
	broken := make(chan error, 1)
	go func() { broken <- r.watcher.Run(watching, r.event) }()
	err, ended := r.follow(ctx, broken)
	cancel()
	if !ended {
		err = errors.Join(err, <-broken)
	}
	return err
}

// event is told of connections by the watcher.
func (r *runner) event(e watch.Event) {
	r.mu.Lock()
	r.machine.Event(&e)
	open := r.machine.Open()
	r.mu.Unlock()
	r.garbage.event()
	r.log("%s", line(&e, open))
	r.wake()
}

// wake makes follow look again.
func (r *runner) wake() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// done is closed when the service has ended by itself; never if it is not ours.
func (r *runner) done() <-chan struct{} {
	if r.service == nil {
		return nil
	}
	return r.service.Done()
}

// follow is the loop that decides. Its timer runs only while time alone can change
// something. The watcher has ended if it says so.
func (r *runner) follow(ctx context.Context, broken <-chan error) (err error, ended bool) {
	p := progress{step: step(r.options.Policy.Idle)}
	for {
		d, err := r.decide()
		if err != nil {
			return err, false
		}
		if d.Stop {
			again, err := r.stop(ctx, d)
			if !again {
				return err, false
			}
			continue
		}
		var later <-chan time.Time
		if next := p.next(d, r.log, r.options.Policy.Idle); !next.IsZero() {
			later = time.After(time.Until(next))
		}
		select {
		case <-r.kick:
		case <-later:
		case <-r.done():
			return r.endedByItself(ctx), false
		case err := <-broken:
			return errors.Join(fmt.Errorf("watch by %s: %w", r.watcher.Name(), err), r.halt(ctx)), true
		case <-ctx.Done():
			r.log("stopping: told to")
			return r.halt(ctx), false
		case s := <-r.signals:
			if r.service != nil {
				r.service.Signal(s.(syscall.Signal))
			}
		}
	}
}

// decide asks the machine, and the watcher if the machine wants to know more. While
// the service is frozen there is nothing to stop, but to thaw if somebody comes.
func (r *runner) decide() (policy.Decision, error) {
	d := r.ask()
	if d.Sample {
		if err := r.sample(); err != nil {
			return d, err
		}
		d = r.ask()
	}
	if !r.isFrozen() {
		return d, nil
	}
	if d.Busy {
		if err := r.action.Start(context.Background()); err != nil {
			return d, err
		}
		r.setFrozen(false)
		r.log("thawed: somebody is there")
		return d, nil
	}
	d.Stop, d.Next, d.Since = false, time.Time{}, time.Time{}
	return d, nil
}

func (r *runner) ask() policy.Decision {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.machine.Decide(time.Now())
}

func (r *runner) isFrozen() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.frozen
}

func (r *runner) setFrozen(frozen bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen = frozen
}

// sample tells the machine what the connections have moved. The watcher is asked without
// our mutex: it may hold its own while it waits for that.
func (r *runner) sample() error {
	moved := make(map[uint64]watch.Bytes)
	if err := r.watcher.Moved(func(id uint64, b watch.Bytes) { moved[id] = b }); err != nil {
		return err
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, b := range moved {
		r.machine.Moved(id, b, now)
	}
	r.machine.Sampled(now)
	return nil
}

// progress tells from time to time how long the service has been idle.
type progress struct {
	step time.Duration
	told time.Time
}

// next writes a line if it is time for one, and returns when to look again.
func (p *progress) next(d policy.Decision, log func(string, ...any), idle time.Duration) time.Time {
	if d.Busy || d.Since.IsZero() {
		return d.Next
	}
	if p.told.Before(d.Since) {
		p.told = d.Since
	}
	now := time.Now()
	if n := now.Sub(p.told) / p.step; n > 0 {
		p.told = p.told.Add(n * p.step)
		log("idle for %s of %s", policy.Short(p.told.Sub(d.Since)), idle)
	}
	if next := p.told.Add(p.step); next.Before(d.Next) {
		return next
	}
	return d.Next
}

// patience is how long an action may take that is not ours.
const patience = 5 * time.Minute

// stop stops the service. It returns true if the run goes on.
func (r *runner) stop(ctx context.Context, d policy.Decision) (again bool, err error) {
	r.log("stopping: idle for %s", policy.Short(time.Since(d.Since)))
	if r.action != nil {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := r.action.Stop(ctx); err != nil {
			return false, errors.Join(fmt.Errorf("on idle: %w", err), r.halt(ctx))
		}
		if r.options.OnIdle == actionFreeze {
			r.setFrozen(true)
			r.log("frozen, until somebody comes")
			return true, nil
		}
		r.log("done: %s", r.options.OnIdle)
	}
	return false, r.halt(ctx)
}

// halt ends the service if it is ours: at once when told to a second time.
func (r *runner) halt(ctx context.Context) error {
	if r.isFrozen() {
		if err := r.action.Start(context.Background()); err != nil {
			return err
		}
	}
	if r.service == nil {
		return nil
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, ending...)
	defer signal.Stop(again)
	now := make(chan struct{})
	over := make(chan struct{})
	defer close(over)
	times := 2
	if ctx.Err() != nil {
		times = 1 // the first was what ended the context
	}
	go func() {
		for range times {
			select {
			case <-again:
			case <-over:
				return
			}
		}
		close(now)
	}()
	began, before := time.Now(), r.service.Ended()
	r.service.Stop(r.options.KillAfter, now)
	if !before {
		r.log("%s ended after %s: %s", r.name(), policy.Short(time.Since(began)), r.service.How())
	}
	return nil
}

// endedByItself says how, and ends what the command has left behind.
func (r *runner) endedByItself(ctx context.Context) error {
	after := time.Since(r.started)
	if err := r.halt(ctx); err != nil {
		return err
	}
	if r.service.Code() == 0 {
		r.log("%s ended by itself after %s: %s", r.name(), policy.Short(after), r.service.How())
		return nil
	}
	return &EndedError{Command: r.name(), Code: r.service.Code(), How: r.service.How(), After: after}
}
