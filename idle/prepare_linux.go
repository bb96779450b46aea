package idle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/waggle-bpf/waggle/idle/control"
	"github.com/waggle-bpf/waggle/idle/hook"
	"github.com/waggle-bpf/waggle/idle/policy"
	"github.com/waggle-bpf/waggle/idle/process"
	"github.com/waggle-bpf/waggle/internal/cgroup"
	"github.com/waggle-bpf/waggle/target"
)

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
		if errors.Is(r.place.err, cgroup.ErrNone) {
			return &InputError{r.place.err}
		}
		return nil
	}
	own, err := cgroup.Own()
	if err == nil {
		for _, left := range cgroup.Sweep(own, groupPrefix) {
			r.log("left by a service whose waggle idle was killed: %s in %s; echo 1 >%[2]s/cgroup.kill ends what is there", processes(left.Processes), left.Dir)
		}
		r.group, err = cgroup.Make(own, groupPrefix)
	}
	if err != nil {
		r.place.err = err
		return nil
	}
	r.place.dir = r.group.Dir
	return nil
}

// checkTimeout is how long the look at what is to be stopped may take.
const checkTimeout = 20 * time.Second

// chooseAction finds out what to do in the end, and whether that can be done.
func (r *runner) chooseAction(ctx context.Context) (err error) {
	r.machine = policy.New(r.options.Policy, r.started)
	r.action, err = r.options.action(r.place.dir, func(e *target.Exec) {
		e.Begin, e.Output, e.Grace = r.table.Begin, r.options.Stderr, r.options.KillAfter
	})
	if errors.Is(err, errNoCgroup) && r.place.err != nil {
		err = fmt.Errorf("%w: %w", err, r.place.err)
	}
	if err != nil || r.action == nil {
		return err
	}
	if f, ok := r.action.(*target.Freezer); ok {
		if err := checkOutside(f.Dir); err != nil {
			return badInput("--on-idle %s: %w", r.options.OnIdle, err)
		}
		if r.options.OnIdle == actionFreeze && len(r.options.Command) == 0 {
			r.action = &freezer{*f, func() place { return find(&r.options) }}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := target.Check(ctx, r.action); err != nil {
		return badInput("--on-idle: %w", err)
	}
	return nil
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
	o := r.options
	o.Log = func(line string) { // such as that the service has moved
		r.log("%s", line)
		r.wake()
	}
	r.watcher, r.why, err = openWatcher(&o, r.place)
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
