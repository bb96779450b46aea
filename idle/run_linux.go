package idle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/idle/control"
	"github.com/waggle-bpf/waggle/idle/policy"
	"github.com/waggle-bpf/waggle/idle/process"
	"github.com/waggle-bpf/waggle/idle/watch"
	"github.com/waggle-bpf/waggle/internal/cgroup"
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
	switch {
	case err == nil:
		err = r.supervise(ctx)
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		r.log("not started: told to end")
		err = nil
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

// runner is a run. What it does before the service starts is in prepare_linux.go, what
// while it runs in follow_linux.go, and how it ends in stop_linux.go.
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

	visited atomic.Bool   // somebody has been there
	kick    chan struct{} // something has happened
	signals chan os.Signal

	mu      sync.Mutex // of what follows; taken after the watcher's own
	machine *policy.Machine
	phase   phase
}

// phase is where in its life the service is.
type phase int

const (
	running  phase = iota
	frozen         // it is held, until somebody comes
	stopping       // there is no way back
)

func (r *runner) is(p phase) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.phase == p
}

func (r *runner) log(format string, args ...any) {
	if r.options.Log != nil {
		r.options.Log(fmt.Sprintf(format, args...))
	}
}

func (r *runner) name() string { return filepath.Base(r.options.Command[0]) }

// close gives everything back.
func (r *runner) close() error {
	if r.server != nil {
		r.server.Close()
	}
	var errs []error
	if r.service != nil {
		errs = append(errs, r.service.Kill())
	}
	if r.watcher != nil {
		errs = append(errs, r.watcher.Close())
	}
	if r.group != nil {
		errs = append(errs, r.group.Remove())
	}
	if r.table != nil {
		r.table.Close() // start hooks may have left something, too
	}
	return errors.Join(errs...)
}
