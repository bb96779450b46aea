package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/waggle-bpf/waggle/forward/accesslog"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/target"
	"github.com/waggle-bpf/waggle/wake"
	"github.com/waggle-bpf/waggle/wake/control"
)

// wakeRunCmd is waggle wake run.
type wakeRunCmd struct {
	Listen  string        `required:"" placeholder:"ADDR" help:"Where clients come: ADDRESS:PORT, or :PORT for all addresses of this machine."`
	To      string        `required:"" placeholder:"ADDR" help:"Where the target listens when it runs: HOST:PORT."`
	Start   string        `required:"" placeholder:"TARGET" help:"What starts the target: exec:COMMAND, systemd:UNIT, docker:NAME, freeze:CGROUP, wol:MAC[@ADDRESS] or fly:APP/MACHINE."`
	Stop    string        `placeholder:"TARGET" help:"What stops it, if that is something else; exec:COMMAND is run to its end."`
	Ready   string        `default:"tcp" placeholder:"TEST" help:"When it is ready: tcp (the port is open), ssh (it greets), http:/PATH (status 200 to 399), exec:COMMAND (exit status 0)."`
	Timeout time.Duration `default:"60s" placeholder:"TIME" help:"How long it may take from the start until it is ready; 60s by default."`
	Idle    time.Duration `placeholder:"TIME" help:"Stop it after so long without connections; never by default."`
	Hold    int           `default:"1024" placeholder:"N" help:"How many clients may wait at a time; 1024 by default."`

	Engine    string `placeholder:"NAME" help:"What moves the bytes: auto, packet, splice, sockmap, uring or copy; auto by default."`
	SendProxy string `placeholder:"V" help:"Tell the target who the client is: v1 or v2 of the PROXY protocol."`
	Log       string `placeholder:"FORMAT" help:"The access log on standard output: text, json or none; text by default."`
	Drain     string `default:"30s" placeholder:"TIME" help:"How long connections may go on after SIGTERM: a duration, 0 or none (for as long as they like); 30s by default."`
	Metrics   string `placeholder:"ADDR" help:"Serve Prometheus metrics at http://ADDR/metrics."`
	Control   string `placeholder:"PATH" help:"The socket for waggle wake status."`
}

// Help is the command's manual.
func (*wakeRunCmd) Help() string {
	return `Listens in front of a target that need not run. The first client starts it; all clients are held until it is ready, and
then forwarded as "waggle forward" does. With --idle it is stopped when nobody is connected. See docs/wake.md.

  waggle wake --listen :8080 --to 127.0.0.1:9090 --start 'exec:./server -p 9090' --ready http:/health --idle 5m
  waggle wake run --listen :2222 --to 10.0.0.7:22 --start wol:00:1b:21:0a:0b:0c --ready ssh --timeout 3m

Clients that can't be forwarded are told so if they speak HTTP (503 with Retry-After), and reset if not. SIGTERM and
Ctrl-C drain: who is connected may go on for --drain, then a target that is a process of waggle's own is stopped;
others are left as they are.`
}

// stopTimeout is how long a target may take to stop. It gets SIGTERM or the like first.
const stopTimeout = time.Minute

// checkTimeout is how long the look at what --start and --stop name may take.
const checkTimeout = 20 * time.Second

// Run wakes the target, again and again, until the command is interrupted.
func (c *wakeRunCmd) Run(e *env) error {
	cfg, err := c.forwarding()
	if err != nil {
		return badInput(err)
	}
	o, targets, err := c.waking(cfg)
	if err != nil {
		return badInput(err)
	}
	ctx, cancel := context.WithTimeout(e.ctx, checkTimeout)
	defer cancel()
	for _, t := range targets {
		if err := target.Check(ctx, t); err != nil {
			if errors.Is(err, fs.ErrPermission) {
				return &deniedError{err}
			}
			return badInput(err)
		}
	}
	o.Notice = func(format string, args ...any) {
		fmt.Fprintln(e.stderr, "waggle: "+fmt.Sprintf(format, args...)) // a line at a time
	}
	return wake.Run(e.ctx, cfg, o, e.stdout)
}

// deniedError is that somebody does not let this user start or stop the target.
type deniedError struct{ err error }

func (e *deniedError) Error() string { return e.err.Error() + "; ask as root" }
func (e *deniedError) Unwrap() error { return e.err }

// forwarding is the forwarder's part of the flags.
func (c *wakeRunCmd) forwarding() (*config.Config, error) {
	cfg, err := config.Simple(c.Listen, c.To)
	if err != nil {
		return nil, err
	}
	if c.Engine != "" {
		if !slices.Contains(config.Engines, c.Engine) {
			return nil, fmt.Errorf("no engine %q; there are %s", c.Engine, strings.Join(config.Engines, ", "))
		}
		cfg.Listeners[0].Engine = c.Engine
	}
	if cfg.Groups[0].SendProxy, err = proxyVersion(c.SendProxy); err != nil {
		return nil, err
	}
	if c.Log != "none" {
		cfg.AccessLog = &config.AccessLog{Path: "-"}
		if c.Log != "" {
			if cfg.AccessLog.Format, err = accesslog.ParseFormat(c.Log); err != nil {
				return nil, err
			}
		}
	}
	if cfg.Drain, err = config.ParseDrain(c.Drain); err != nil {
		return nil, fmt.Errorf("--drain: %w", err)
	}
	cfg.Metrics = c.Metrics
	return cfg, nil
}

// proxyVersion is the version of the PROXY protocol that a flag names.
func proxyVersion(text string) (config.ProxyOut, error) {
	versions := map[string]config.ProxyOut{"": config.NoProxy, "v1": config.ProxyV1, "v2": config.ProxyV2}
	v, ok := versions[text]
	if !ok {
		return 0, fmt.Errorf("no version %q of the PROXY protocol; there are v1 and v2", text)
	}
	return v, nil
}

// waking is the rest of the flags, and the targets that they name.
func (c *wakeRunCmd) waking(cfg *config.Config) (o wake.Options, targets []target.Target, err error) {
	if err := c.check(); err != nil {
		return o, nil, err
	}
	start, err := target.Parse(c.Start)
	if err != nil {
		return o, nil, fmt.Errorf("--start: %w", err)
	}
	targets = append(targets, start)
	child, isChild := start.(*target.Exec)
	if isChild {
		wake.Tie(child)
	}
	_, isWOL := start.(*target.WakeOnLAN)
	_, isFreezer := start.(*target.Freezer)
	o = wake.Options{
		Start: start, Timeout: c.Timeout, StopTimeout: stopTimeout, Idle: c.Idle, Held: c.Hold,
		CleanUp:  isChild || c.Idle > 0 || c.Stop != "",
		End:      isChild,
		Harmless: !isChild,
		About:    control.Target{To: c.To, Start: c.Start, Stop: c.Stop, Ready: c.Ready},
		Control:  c.Control,
	}
	if !isWOL {
		o.Stop = start
	}
	if c.Stop != "" {
		stop, err := target.Parse(c.Stop)
		if err != nil {
			return o, nil, fmt.Errorf("--stop: %w", err)
		}
		if _, ok := stop.(*target.WakeOnLAN); ok {
			return o, nil, errors.New("--stop: a magic packet only wakes")
		}
		targets = append(targets, stop)
		o.Stop, o.Vanish = stopper(stop, child), stopTimeout
	}
	switch {
	case o.Stop == nil && c.Idle > 0:
		return o, nil, errors.New("--idle needs --stop: a magic packet only wakes")
	case isFreezer && c.Ready == "tcp":
		return o, nil, errors.New("--ready tcp says nothing about a frozen target, for which the kernel answers; ask for ssh, http:/PATH or exec:COMMAND")
	}
	if command, ok := strings.CutPrefix(c.Ready, "exec:"); ok {
		targets = append(targets, &target.Exec{Command: command})
	}
	o.Probe, err = wake.ParseProbe(c.Ready, c.To, cfg.Groups[0].SendProxy)
	if err != nil {
		return o, nil, fmt.Errorf("--ready: %w", err)
	}
	return o, targets, nil
}

// check finds numbers that can't be.
func (c *wakeRunCmd) check() error {
	for _, f := range []struct {
		name string
		bad  bool
	}{
		{"--timeout", c.Timeout <= 0}, {"--idle", c.Idle < 0}, {"--hold", c.Hold < 1},
	} {
		if f.bad {
			return fmt.Errorf("%s is too small", f.name)
		}
	}
	return nil
}

// stopper stops by a target of its own. A command is run for that, and a child that
// was started is given time to end by itself.
func stopper(stop target.Target, child *target.Exec) wake.Stopper {
	hook, ok := stop.(*target.Exec)
	if !ok {
		return stop
	}
	return &hookStopper{hook, child}
}

// hookStopper runs a command.
type hookStopper struct {
	hook  *target.Exec
	child *target.Exec // nil for none
}

// selfEnd is how long a child may take to end when the command has been run.
const selfEnd = 10 * time.Second

// Stop runs the command, and ends the child if that hasn't.
func (s *hookStopper) Stop(ctx context.Context) error {
	err := s.hook.Run(ctx)
	if s.child == nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, selfEnd)
	defer cancel()
	if err == nil {
		_ = s.child.Wait(wait) // how it ends doesn't matter, nor that it doesn't yet
	}
	return errors.Join(err, s.child.Stop(ctx))
}
