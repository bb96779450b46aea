// Package idle runs a service, watches its connections, and stops it when it has been
// idle for long enough: the other half of package wake.
//
// A run is made of parts that know little of each other: a [watch.Watcher] tells who
// connects and leaves, package policy decides, package process runs the service, package
// target has what else can be stopped, package control answers who asks why.
package idle

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/waggle-bpf/waggle/idle/hook"
	"github.com/waggle-bpf/waggle/idle/policy"
	"github.com/waggle-bpf/waggle/target"
)

// Options say what to run, what to watch and when to stop.
type Options struct {
	// Command is the service, with its arguments; if there is none, what runs already
	// is watched.
	Command []string
	// Ports are the service's ports. If there is none, all connections count that
	// its cgroup accepts.
	Ports []uint16

	// Watch is how to watch: one of Watchers. Cgroup is where the service is, if it
	// is not started here and not found by its ports.
	Watch  string
	Cgroup string
	// Listen makes watcher proxy listen there and forward to To; ProxyFrom are those
	// who send PROXY headers.
	Listen, To string
	ProxyFrom  []netip.Prefix

	Policy policy.Config
	// OnIdle is what to do: "exit", "freeze", or a target that is stopped, as package
	// target reads it. If the service was started here, it ends in any case, unless
	// it is frozen.
	OnIdle string
	// KillAfter is how long the service may take from SIGTERM to its end.
	KillAfter time.Duration

	// What is done before the service starts, in this order.
	EnvFile string
	Links   []hook.Link
	Run     []string // shell commands

	// Control is the path of the control socket. If it is empty, it is
	// control.DefaultPath, unless another process has that: then there is none.
	Control string

	// Main says that this process is there for the run alone. It then takes care of the
	// orphans among the service's descendants, so it must not have other children, and
	// collects garbage when something happens, not because time has passed.
	Main bool
	// Stdin, Stdout and Stderr are the service's.
	Stdin, Stdout, Stderr *os.File
	// Log is given the lines that tell what happens.
	Log func(line string)
}

// Watchers are the ways of watching, and "auto", which takes the first that works.
var Watchers = []string{"auto", "sockops", "procfs", "proxy"}

// The usual times.
const (
	DefaultIdle      = time.Minute
	DefaultKillAfter = 10 * time.Second
)

// EndedError is that the service has ended by itself.
type EndedError struct {
	Command string
	Code    int    // its exit code, 128 and the signal's number if that has killed it
	How     string // the same in words
	After   time.Duration
}

func (e *EndedError) Error() string {
	return fmt.Sprintf("run %s: it ended by itself after %s: %s", e.Command, policy.Short(e.After), e.How)
}

// InputError is that the options can't be.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

func badInput(format string, args ...any) error { return &InputError{fmt.Errorf(format, args...)} }

// check tells what is wrong with the options, and fills in what is left out.
func (o *Options) check() error {
	if o.Watch == "" {
		o.Watch = Watchers[0]
	}
	if o.OnIdle == "" {
		o.OnIdle = "exit"
	}
	if o.Policy.Idle == 0 {
		o.Policy.Idle = DefaultIdle
	}
	if o.KillAfter == 0 {
		o.KillAfter = DefaultKillAfter
	}
	for _, wrong := range mistakes {
		if text := wrong(o); text != "" {
			return badInput("%s", text)
		}
	}
	return nil
}

// mistakes say what is wrong, "" if nothing is.
var mistakes = []func(o *Options) string{
	func(o *Options) string {
		for _, w := range Watchers {
			if w == o.Watch {
				return ""
			}
		}
		return fmt.Sprintf("no watcher %q; there are %s", o.Watch, strings.Join(Watchers, ", "))
	},
	func(o *Options) string {
		proxied := o.Listen != "" || o.To != ""
		switch {
		case proxied && (o.Listen == "" || o.To == ""):
			return "--listen and --to belong together: where clients connect, and where the service is"
		case o.Watch == "proxy" && !proxied:
			return "--watch proxy needs --listen and --to"
		case proxied && o.Watch != "proxy" && o.Watch != "auto":
			return "--listen is for --watch proxy, not for " + o.Watch
		case len(o.ProxyFrom) > 0 && !proxied:
			return "--proxy-from needs --listen and --to"
		}
		return ""
	},
	func(o *Options) string {
		switch {
		case len(o.Command) > 0 && o.Cgroup != "":
			return "--cgroup is for a service that runs already; a command gets a cgroup of its own"
		case len(o.Command) == 0 && len(o.Ports) == 0 && o.Cgroup == "" && o.Listen == "":
			return "nothing to watch: give a command behind --, or --port, --cgroup or --listen for what runs already"
		case len(o.Command) == 0 && (o.EnvFile != "" || len(o.Links) > 0 || len(o.Run) > 0):
			return "--env-file, --link and --run are for a command; give one behind --"
		}
		return ""
	},
	func(o *Options) string {
		for _, d := range []time.Duration{o.Policy.Idle, o.Policy.Grace, o.Policy.MinAge, o.Policy.Quiet, o.KillAfter} {
			if d < 0 {
				return fmt.Sprintf("%v is no duration", d)
			}
		}
		return ""
	},
}

// The actions that are not targets.
const (
	actionExit   = "exit"
	actionFreeze = "freeze"
)

// action returns what to do when the service is idle: nil for nothing but to end it.
// Dir is its cgroup, "" if it has none.
func (o *Options) action(dir string, adopt func(*target.Exec)) (target.Target, error) {
	switch {
	case o.OnIdle == actionExit:
		return nil, nil
	case o.OnIdle == actionFreeze && dir == "":
		return nil, errNoCgroup
	case o.OnIdle == actionFreeze:
		return &target.Freezer{Dir: dir}, nil
	}
	t, err := target.Parse(o.OnIdle)
	if err != nil {
		return nil, &InputError{fmt.Errorf("--on-idle: %w; exit and freeze stand alone", err)}
	}
	if e, ok := t.(*target.Exec); ok {
		adopt(e)
		return hookTarget{e}, nil
	}
	return t, nil
}

var errNoCgroup = errors.New("freeze: the service has no cgroup of its own")

// hookTarget is a command that does the stopping, and is not what is stopped.
type hookTarget struct{ *target.Exec }

func (h hookTarget) Start(context.Context) error    { return nil }
func (h hookTarget) Stop(ctx context.Context) error { return h.Run(ctx) }
