//go:build unix

// Package daemon runs a forwarder as a process: with an admin socket, signals, a
// service manager, and a successor that takes over without turning a client away.
//
//	SIGHUP            load the configuration and open the access log again
//	SIGUSR1           open the access log again
//	end of context    drain, then end; both signals open the access log again meanwhile
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/forward/admin"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/handover"
)

// Options are what a daemon is made of.
type Options struct {
	// Load returns the configuration, each time it is asked for.
	Load func() (*config.Config, error)
	// Output is where an access log goes whose path is "-".
	Output io.Writer
	// Notice is told, in a line, what an operator should know.
	Notice func(string)

	// Admin is the path of the admin socket. If it is empty, it is
	// admin.DefaultPath, unless another forwarder has that: then there is none.
	Admin string
	// TakeOver makes this process take over from the forwarder that has the admin
	// socket. A process that was started by an upgrade does so in any case.
	TakeOver bool
}

// Run forwards until the context ends or a successor has taken over, and then until
// the connections have ended or their time is over.
func Run(ctx context.Context, o Options) error {
	d := &daemon{options: o, succeeded: make(chan struct{})}
	// Before anybody can know of this process: unexpected, they would end it.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)
	if err := d.start(); err != nil {
		return err
	}
	ballast := make([]byte, ballastSize)
	defer runtime.KeepAlive(ballast)
	return d.run(ctx, signals)
}

// ballastSize is how much is allocated and never touched, so it takes up no memory. But
// the garbage collector counts it: it begins again when the heap has doubled, and with
// a heap as small as ours, connections that come and go would have it begin many times
// a second.
const ballastSize = 16 << 20

// daemon is a forwarder in a process.
type daemon struct {
	*forward.Forwarder
	options Options
	server  *admin.Server // nil for none
	drain   time.Duration

	mu        sync.Mutex
	upgrading bool
	succeeded chan struct{} // closed when another process serves
	over      bool          // it is
}

func (d *daemon) notice(format string, args ...any) {
	if d.options.Notice != nil {
		d.options.Notice(fmt.Sprintf(format, args...))
	}
}

func (d *daemon) path() string {
	if d.options.Admin != "" {
		return d.options.Admin
	}
	return admin.DefaultPath()
}

// start brings everything up, from a predecessor if there is one.
func (d *daemon) start() (err error) {
	cfg, err := d.options.Load()
	if err != nil {
		return err
	}
	inherited, err := handover.Inherited()
	if err != nil {
		return err
	}
	var before *admin.Takeover
	if handover.Wanted() || d.options.TakeOver {
		if before, err = admin.TakeOver(d.path()); err != nil {
			return fmt.Errorf("take over: %w", err)
		}
		defer before.Close()
		inherited = append(inherited, before.Listeners...)
	}
	d.drain = cfg.Drain
	d.Forwarder, err = forward.New(cfg, forward.Options{Listeners: inherited, Output: d.options.Output, Notice: d.options.Notice})
	if err != nil {
		return err
	}
	if err := d.announce(before); err != nil {
		return errors.Join(err, d.Close())
	}
	return nil
}

// announce opens the admin socket and tells everybody that this process serves.
func (d *daemon) announce(before *admin.Takeover) error {
	if err := d.openAdmin(before != nil); err != nil {
		return err
	}
	for _, addr := range d.Addrs() {
		d.notice("listening on %s", addr)
	}
	if before != nil {
		// The socket first: who has asked for an upgrade hears that it is done from
		// the predecessor, and may ask this one for something at once.
		if d.server != nil {
			if err := d.server.Publish(); err != nil {
				d.notice("%v", err)
			}
		}
		if err := before.Ready(); err != nil {
			d.notice("take over: forwarder %d: %v", before.PID, err)
		}
		d.notice("took over from forwarder %d", before.PID)
	}
	d.notify(handover.MainPID(os.Getpid()), handover.Ready)
	return nil
}

func (d *daemon) openAdmin(successor bool) (err error) {
	d.server, err = admin.Serve(d.path(), successor, d)
	var taken *admin.InUseError
	if errors.As(err, &taken) && d.options.Admin == "" {
		d.notice("%v; this forwarder has none", err)
		return nil
	}
	return err
}

func (d *daemon) notify(state ...string) {
	if err := handover.Notify(state...); err != nil {
		d.notice("%v", err)
	}
}

// run waits for something to do.
func (d *daemon) run(ctx context.Context, signals <-chan os.Signal) error {
	var alive <-chan time.Time
	if every := handover.Watchdog(); every > 0 {
		tick := time.NewTicker(every)
		defer tick.Stop()
		alive = tick.C
	}
	for {
		select {
		case <-ctx.Done():
			d.notify(handover.Stopping)
			return d.end(false, signals)
		case <-d.succeeded:
			return d.end(true, signals)
		case s := <-signals:
			d.renew(s == syscall.SIGHUP)
		case <-alive:
			d.notify(handover.Alive)
		}
	}
}

// reopen opens the access log again.
func (d *daemon) reopen() {
	if err := d.Reopen(); err != nil {
		d.notice("%v", err)
	}
}

// renew opens the access log again, and loads the configuration if it is to.
func (d *daemon) renew(load bool) {
	d.reopen()
	if !load {
		return
	}
	d.notify(handover.Reloading())
	defer d.notify(handover.Ready)
	cfg, err := d.options.Load()
	if err == nil {
		err = d.Reload(cfg)
	}
	if err != nil {
		d.notice("bad configuration, the old one stays in force:\n%v", err)
		return
	}
	d.drain = cfg.Drain
	d.notice("configuration loaded")
}

// end drains and closes. Signals open the access log again meanwhile, which may take hours;
// a configuration would come too late.
func (d *daemon) end(succeeded bool, signals <-chan os.Signal) error {
	if n := d.Status(0).Open; n > 0 {
		atMost := ""
		if d.drain >= 0 {
			atMost = fmt.Sprintf(", for %v at most", d.drain)
		}
		d.notice("draining %d connections%s", n, atMost)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		d.Drain(d.drain, succeeded)
	}()
	for draining := true; draining; {
		select {
		case <-signals:
			d.reopen()
		case <-drained:
			draining = false
		}
	}
	switch {
	case d.server == nil:
	case succeeded:
		d.server.Leave()
	default:
		d.server.Close()
	}
	return d.Close()
}

// Upgrade starts a successor.
func (d *daemon) Upgrade(ctx context.Context) (pid int, err error) {
	d.mu.Lock()
	if d.upgrading {
		d.mu.Unlock()
		return 0, errors.New("upgrade: one is under way")
	}
	d.upgrading = true
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.upgrading = false
		d.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(ctx, admin.UpgradePatience)
	defer cancel()
	s, err := handover.Start()
	if err != nil {
		return 0, fmt.Errorf("upgrade: %w", err)
	}
	if err := s.Await(ctx, d.succeeded); err != nil {
		return 0, fmt.Errorf("upgrade: %w; this forwarder goes on", err)
	}
	d.notify(handover.MainPID(s.PID))
	return s.PID, nil
}

// Succeeded makes this forwarder drain: another one serves.
func (d *daemon) Succeeded() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return errors.New("another forwarder has taken over already")
	}
	d.over = true
	close(d.succeeded)
	return nil
}
