package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waggle-bpf/waggle/forward/accesslog"
	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/daemon"
)

// forwardRunCmd is waggle forward.
type forwardRunCmd struct {
	Config string   `short:"c" placeholder:"FILE" help:"Read the configuration from a file, instead of the flags up to --no-persist."`
	Listen string   `placeholder:"ADDR" help:"Where to listen: ADDRESS:PORT, or :PORT for all addresses of this machine."`
	To     []string `placeholder:"ADDR" help:"Backends: HOST:PORT each."`

	Engine    string `placeholder:"NAME" help:"What moves the bytes: auto, packet, splice, sockmap, uring or copy; auto by default."`
	Policy    string `placeholder:"NAME" help:"Which backend a connection gets: round-robin, least-connections, hash-source or hash-name."`
	SendProxy string `placeholder:"V" help:"Tell backends who the client is: v1 or v2 of the PROXY protocol."`
	Log       string `placeholder:"FORMAT" help:"The access log on standard output: text, json or none; text by default."`
	Metrics   string `placeholder:"ADDR" help:"Serve Prometheus metrics at http://ADDR/metrics."`
	Idle      string `placeholder:"TIME" help:"End connections on which nothing moves for so long, or none; 24h by default."`
	Drain     string `placeholder:"TIME" help:"How long connections may go on after SIGTERM, 0 for no time, none for as long as they like; 30s by default."`
	NoPersist bool   `help:"End connections that the kernel moves by itself when the forwarder ends."`

	Admin    string `placeholder:"PATH" help:"The socket for waggle forward status and upgrade."`
	TakeOver bool   `help:"Take over from the forwarder that has the admin socket."`
}

// Help is the command's manual.
func (*forwardRunCmd) Help() string {
	return `Accepts TCP connections, dials a backend for each and gets out of the way: the kernel moves the rest by itself where it can
(engine packet, which needs root), or splices it. Several listeners, routes by server name, protocol, first bytes or
source, health checks and limits are for a file: see docs/forward.md.

  waggle forward --listen :8080 --to 10.0.0.1:80,10.0.0.2:80
  waggle forward run --listen 127.0.0.1:5432 --to db.internal:5432 --engine splice --log json
  waggle forward -c /etc/waggle/forward.yaml

SIGTERM and Ctrl-C drain: no new connections, and the end when those that there are have ended, or after --drain; the
second time they end it at once. SIGHUP loads the file again, and opens the access log again; if there is something
wrong with it, the old configuration stays. As a service of systemd (Type=notify, NotifyAccess=all), it takes the
sockets of a socket unit.`
}

// Run forwards until the command is interrupted.
func (c *forwardRunCmd) Run(e *env) error {
	load, err := c.source()
	if err != nil {
		return err
	}
	return daemon.Run(e.ctx, daemon.Options{
		Load:     load,
		Output:   e.stdout,
		Notice:   func(text string) { fmt.Fprintln(e.stderr, "waggle: "+text) }, // a line at a time
		Admin:    c.Admin,
		TakeOver: c.TakeOver,
	})
}

// source is where the configuration comes from, each time it is asked for.
func (c *forwardRunCmd) source() (func() (*config.Config, error), error) {
	if c.Config == "" {
		cfg, err := c.flags()
		if err != nil {
			return nil, &inputError{err: err, hint: "see waggle forward --help"}
		}
		return func() (*config.Config, error) { return cfg, nil }, nil
	}
	if set := c.set(); len(set) > 0 {
		return nil, badInputf("%s together with --config: write it into %s", strings.Join(set, " and "), c.Config)
	}
	return func() (*config.Config, error) {
		cfg, err := config.Load(c.Config)
		return cfg, badInput(err)
	}, nil
}

// set lists the flags that were given and that a file has instead.
func (c *forwardRunCmd) set() (flags []string) {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"--listen", c.Listen != ""}, {"--to", len(c.To) > 0}, {"--engine", c.Engine != ""}, {"--policy", c.Policy != ""},
		{"--send-proxy", c.SendProxy != ""}, {"--log", c.Log != ""}, {"--metrics", c.Metrics != ""},
		{"--idle", c.Idle != ""}, {"--drain", c.Drain != ""}, {"--no-persist", c.NoPersist},
	} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	return flags
}

// flags makes a configuration of the flags.
func (c *forwardRunCmd) flags() (*config.Config, error) {
	switch {
	case c.Listen == "" && len(c.To) == 0:
		return nil, errors.New("nothing to forward: give --listen and --to, or --config")
	case c.Listen == "":
		return nil, errors.New("missing flag --listen: where do connections come from?")
	case len(c.To) == 0:
		return nil, errors.New("missing flag --to: where do connections go?")
	}
	cfg, err := config.Simple(c.Listen, c.To...)
	if err != nil {
		return nil, err
	}
	l, g := cfg.Listeners[0], cfg.Groups[0]
	if c.Engine != "" {
		if !slices.Contains(config.Engines, c.Engine) {
			return nil, fmt.Errorf("no engine %q; there are %s", c.Engine, strings.Join(config.Engines, ", "))
		}
		l.Engine = c.Engine
	}
	if c.Policy != "" {
		if g.Policy, err = backend.ParsePolicy(c.Policy); err != nil {
			return nil, err
		}
	}
	if g.SendProxy, err = proxyVersion(c.SendProxy); err != nil {
		return nil, err
	}
	if cfg.AccessLog, err = c.accessLog(); err != nil {
		return nil, err
	}
	cfg.Metrics = c.Metrics
	cfg.Persist = !c.NoPersist
	for _, f := range []struct {
		name, text string
		parse      func(string) (time.Duration, error)
		to         *time.Duration
	}{
		{"--idle", c.Idle, config.ParseTimeout, &cfg.Timeouts.Idle},
		{"--drain", c.Drain, config.ParseDrain, &cfg.Drain},
	} {
		if f.text == "" {
			continue
		}
		if *f.to, err = f.parse(f.text); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return cfg, nil
}

func (c *forwardRunCmd) accessLog() (*config.AccessLog, error) {
	if c.Log == "none" {
		return nil, nil
	}
	log := &config.AccessLog{Path: "-"}
	var err error
	if c.Log != "" {
		log.Format, err = accesslog.ParseFormat(c.Log)
	}
	return log, err
}
